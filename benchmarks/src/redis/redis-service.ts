import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Failure } from '../harness/failure.ts';
import { toolsNode } from '../harness/nodes.ts';
import type { Service } from '../harness/service.ts';

/** The same from `src` and from `dist`. */
const program = fileURLToPath(new URL('../../src/redis/serve.ts', import.meta.url));
const workspace = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * Starts the Redis that all cases are measured on, as a process of this machine. It keeps nothing on disk.
 *
 * @throws {Failure} if there is none.
 */
export async function startRedis(): Promise<Service> {
  const child = spawn(toolsNode(workspace), [program], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { name, address } = JSON.parse(line) as Pick<Service, 'name' | 'address'>;
    return {
      name,
      address,
      async [Symbol.asyncDispose]() {
        child.stdin.end();
        await ended;
      },
    };
  }
  await ended;
  const reason = /Error: (.*)/.exec(said)?.[1] ?? said;
  throw new Failure(`Cannot measure: there is no Redis server (${reason})`);
}
