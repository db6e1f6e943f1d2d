import { closedMessage } from './errors.ts';
import type { RedisClient } from './script.ts';

/**
 * What the server answers to `command`, which names no key: in a cluster the node that has `key`, to which it goes behind a
 * command that names it.
 *
 * @throws whatever the client throws.
 */
export async function askNodeOf(
  client: RedisClient,
  key: string,
  ...command: readonly [string, ...(string | number)[]]
): Promise<unknown> {
  if (!client.isCluster) return client.call(...(command as [string]));
  const answers = await client.pipeline([['type', key], [...command]]).exec();
  const [error, answer] = answers?.[1] ?? [new Error(closedMessage), undefined];
  if (error !== null) throw error;
  return answer;
}
