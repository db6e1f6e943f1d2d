import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { redisOffer, until } from '../src/index.ts';

const { missing, name } = await redisOffer({ provider: 'native' });
const program = fileURLToPath(new URL('owner.ts', import.meta.url));

/** Starts a program that starts a Redis and then does `then`; resolves what that Redis is, when it answers. */
async function owner(then: 'wait' | 'end' | 'throw') {
  const child = spawn(process.execPath, [program, then], { stdio: ['ignore', 'pipe', 'ignore'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (printed += text));
  const line = await until('the owner to have its server', () => /^(.*)\n/.exec(printed)?.[1], { everyMs: 5 });
  return { child, ...(JSON.parse(line) as { pid: number; guardian: number; folder: string }) };
}

describe.skipIf(missing !== undefined)(`the guardian of a server: ${name}`, () => {
  test('kills it and removes its folder when the owner is killed, and then ends itself', async () => {
    const { child, pid, guardian, folder } = await owner('wait');
    expect([isAlive(pid), existsSync(folder)]).toEqual([true, true]);
    child.kill('SIGKILL');
    await until('the server to be gone', () => !isAlive(pid));
    await until('the folder to be gone', () => !existsSync(folder));
    await until('the guardian to be gone', () => !isAlive(guardian));
  });

  test('kills it too while it is frozen', async () => {
    const { child, pid } = await owner('wait');
    process.kill(pid, 'SIGSTOP');
    child.kill('SIGKILL');
    await until('the server to be gone', () => !isAlive(pid));
    expect(child.signalCode).toBe('SIGKILL');
  });

  test.for(['end', 'throw'] as const)(
    'does not keep an owner that forgets its server (%s), and cleans up after it',
    async (then) => {
      const { child, pid, folder } = await owner(then);
      if (child.exitCode === null) await once(child, 'exit');
      expect(child.exitCode).toBe(then === 'end' ? 0 : 1);
      await until('the server to be gone', () => !isAlive(pid));
      await until('the folder to be gone', () => !existsSync(folder));
    },
  );
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
