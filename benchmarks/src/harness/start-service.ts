import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';
import { toolsNode } from './nodes.ts';
import type { Service } from './service.ts';

const workspace = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * Starts a service in a process of its own: a program that runs from its source on the Node of the workspace, prints the
 * name and the address of the service as one line of JSON, and ends it when its standard input ends.
 *
 * @param what what it is, for the sentence that says that there is none.
 * @throws {Failure} if it does not start.
 */
export async function startService(what: string, program: string): Promise<Service> {
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
  throw new Failure(`Cannot measure: there is no ${what} (${reason})`);
}
