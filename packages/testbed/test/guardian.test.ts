import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { DockerEngine, dockerEngine, ownerLabel } from '../src/docker-engine.ts';
import { redisOffer, until } from '../src/index.ts';
import { isSameProcess, markOf } from '../src/process-mark.ts';
import { isAlive, startOwner } from './processes.ts';

const native = await redisOffer({ provider: 'native' });
const docker = await redisOffer({ provider: 'docker' });

describe.skipIf(native.missing !== undefined)(`the guardian of a process: ${native.name}`, () => {
  test('kills it and removes its folder when the owner is killed, and then ends itself', async () => {
    const { child, pid, guardian, folder } = await startOwner('native', 'wait');
    expect([isAlive(pid), existsSync(folder)]).toEqual([true, true]);
    child.kill('SIGKILL');
    await until('the server to be gone', () => !isAlive(pid));
    await until('the folder to be gone', () => !existsSync(folder));
    await until('the guardian to be gone', () => !isAlive(guardian));
  });

  test('kills it too while it is frozen', async () => {
    const { child, pid } = await startOwner('native', 'wait');
    process.kill(pid, 'SIGSTOP');
    child.kill('SIGKILL');
    await until('the server to be gone', () => !isAlive(pid));
    expect(isAlive(pid)).toBe(false);
  });

  test.for(['end', 'throw'] as const)(
    'does not keep an owner that forgets its server (%s), and cleans up after it',
    async (then) => {
      const { child, pid, folder } = await startOwner('native', then);
      if (child.exitCode === null) await once(child, 'exit');
      expect(child.exitCode).toBe(then === 'end' ? 0 : 1);
      await until('the server to be gone', () => !isAlive(pid));
      await until('the folder to be gone', () => !existsSync(folder));
    },
  );

  test('is told to remove what is stopped, so that nothing but the guardian is left', async () => {
    const server = await native.start();
    const [, folder] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string];
    const { pid } = server;
    expect([isAlive(pid), existsSync(folder)]).toEqual([true, true]);
    await server.stop();
    expect([isAlive(pid), existsSync(folder)]).toEqual([false, false]);
  });
});

describe.skipIf(docker.missing !== undefined)(`the guardian of a container: ${docker.name}`, () => {
  test('removes it when the owner is killed', async () => {
    const { child } = await startOwner('docker', 'wait');
    const owner = `${hostname()}/${markOf(child.pid ?? 0)}`;
    expect(await containersOf(owner)).toHaveLength(1);
    child.kill('SIGKILL');
    await until('the container to be gone', async () => (await containersOf(owner)).length === 0);
  });

  test('may be killed as well: the next process that uses Docker removes the container, and no other', async () => {
    const { child, guardian } = await startOwner('docker', 'wait');
    const owner = `${hostname()}/${markOf(child.pid ?? 0)}`;
    await using mine = await docker.start();
    process.kill(guardian, 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await containersOf(owner)).toHaveLength(1);
    await DockerEngine.find();
    expect(await containersOf(owner)).toEqual([]);
    expect(await mine.command('PING')).toBe('PONG');
  });
});

async function containersOf(owner: string): Promise<readonly unknown[]> {
  const { client } = await dockerEngine();
  return client.container.dockerode.listContainers({ all: true, filters: { label: [`${ownerLabel}=${owner}`] } });
}

describe('the mark of a process', () => {
  test('is that of one process, not of a later one with the same pid', () => {
    const mark = markOf(process.pid);
    expect(isSameProcess(mark)).toBe(true);
    expect(isSameProcess(`${process.pid}-1`)).toBe(!mark.includes('-'));
    expect(isSameProcess('4194305-1')).toBe(false);
  });
});
