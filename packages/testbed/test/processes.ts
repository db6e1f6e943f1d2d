import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '../src/index.ts';

/** Whether there is such a process. */
export function isAlive(pid: number | undefined): boolean {
  try {
    return process.kill(pid ?? -1, 0);
  } catch {
    return false;
  }
}

const program = fileURLToPath(new URL('owner.ts', import.meta.url));

/** Starts `owner.ts`, a program that starts a Redis and then does `then`; resolves when that Redis answers. */
export async function startOwner(provider: 'native' | 'docker', then: 'wait' | 'end' | 'throw') {
  const child = spawn(process.execPath, [program, provider, then], { stdio: ['ignore', 'pipe', 'ignore'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (printed += text));
  const line = await until('the owner to have its server', () => /^(.*)\n/.exec(printed)?.[1], { everyMs: 5 });
  return { child, ...(JSON.parse(line) as { pid: number; guardian: number; folder: string }) };
}
