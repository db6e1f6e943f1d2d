import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createQueue } from '../../src/index.ts';
import {
  type ConformanceHarness,
  ConformanceSession,
  type Namespace,
  type Peer,
  type Rule,
  rules,
  serveQueue,
} from '../../src/conformance.ts';
import { memoryDriver } from '../../src/testing.ts';

type Fork = NonNullable<Namespace['fork']>;

const sources = fileURLToPath(new URL('../../src', import.meta.url));

/** Another process that runs `program`, and can be spoken to. */
function start(program: string) {
  const imports = `
    import { serveQueue } from '${sources}/conformance.ts';
    import { createQueue } from '${sources}/index.ts';
    import { memoryDriver } from '${sources}/testing.ts';
    const open = () => createQueue(memoryDriver());
  `;
  const args = ['--input-type=module-typescript', '--eval', imports + program];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
}

/** What is found of a namespace that forks so. */
async function finding(fork: Fork, run: Rule['run'], closeMs = 5000): Promise<string> {
  const harness: ConformanceHarness = {
    name: 'under test',
    namespace: () => ({ open: () => createQueue(memoryDriver()), fork, dispose() {} }),
    timing: { closeMs, patienceMs: 1000 },
  };
  const session = new ConformanceSession(harness, { only: ['0.1'] });
  await session.start();
  const { status, reason } = await session.run({ ...(rules[0] as Rule), run });
  await session.end();
  return `${status} ${reason}`.trim();
}

const forks: Rule['run'] = async (trial) => {
  await trial.fork();
  trial.verify(true, 'never');
};
const uses: Rule['run'] = async (trial) => {
  const process = await trial.fork();
  const events = trial.events(2);
  expect(await process.push(events, 100)).toEqual(events.map(({ id }) => id));
  const taken = await process.take({ count: 3, page: 2, timeoutMs: 10, after: 'ack' });
  trial.verify(taken.length === 2, 'never');
};

describe('another process', () => {
  test('pushes, takes, closes its queue and ends by itself', async () => {
    expect(await finding(() => start('serveQueue(open);'), uses)).toBe('PASS');
  });

  test('is told another time by Date, and by nothing else, if the kit has set its clock', async () => {
    const program = `
      const machine = [Date.now(), performance.now()];
      const hours = (ms) => Math.round(ms / 3_600_000);
      serveQueue(() => {
        const dates = [Date.now(), new Date().getTime(), Date.parse(Date())].map((ms) => hours(ms - machine[0]));
        const others = [new Date(0).getTime(), hours(performance.now() - machine[1]), new Date() instanceof Date];
        throw new Error([...dates, ...others].join(' '));
      });
    `;
    const behind: Rule['run'] = async (trial) => void (await trial.fork({}, -7_200_000));
    expect(await finding(() => start(program), behind)).toBe(
      'FAIL process1.open(its clock 7200000 ms behind) failed: Error: -2 -2 -2 0 0 true',
    );
  });

  test.for<[what: string, fork: Fork, reason: string]>([
    ['is none', () => undefined as unknown as Peer, 'fork() of the namespace answered undefined; expected a process'],
    [
      'cannot be spoken to',
      () => ({ on() {}, kill() {} }) as unknown as Peer,
      'fork() of the namespace answered a process without an IPC channel; fork() of node:child_process makes one',
    ],
    [
      'cannot be started',
      () => spawn('/there/is/no/such/program', { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
      'process1 failed before it had answered: spawn /there/is/no/such/program ENOENT',
    ],
    ['ends at once', () => start('process.exit(3);'), 'process1 ended before it had answered, with exit code 3'],
    [
      'cannot open the queue',
      () => start(`serveQueue(() => { throw new Error('no such host'); });`),
      'process1.open() failed: Error: no such host',
    ],
    [
      'opens something else',
      () => start('serveQueue(() => memoryDriver());'),
      'process1.open() failed: Violation: open() of the namespace answered an object without pushMany(); expected a MessageQueue, which createQueue() makes of a driver',
    ],
    [
      'throws later',
      () => start(`serveQueue(() => (setTimeout(() => { throw new Error('oops'); }), new Promise(() => {})));`),
      'process1 ended before it had answered, with exit code 1',
    ],
  ])('that %s is what the rule has found', async ([, fork, reason]) => {
    expect(await finding(fork, forks)).toBe(`FAIL ${reason}`);
  });

  test('that never serves the queue is killed, and told', async () => {
    const silent = start('setInterval(() => {}, 1000);');
    expect(await finding(() => silent, forks, 300)).toBe(
      'FAIL process1.open() did not settle within 900 ms; does its program call serveQueue()?',
    );
    expect(silent.signalCode).toBe('SIGKILL');
  });

  test.for<[what: string, value: string, reason: string]>([
    ['a push', '5', 'push(e0 e1, 100 ms) was answered 5'],
    ['a take', `call.verb === 'push' ? ids(call) : [{ id: 'e0' }]`, 'take(3, 10 ms, ack) was answered an array'],
  ])('that answers %s with something else is told', async ([, value, reason]) => {
    const program = `
      const ids = ({ events }) => events.map((text) => JSON.parse(text).id);
      process.on('message', ({ number, call }) => {
        process.send({ nq: 'answer', number, value: ${value} });
        if (call.verb === 'close') process.disconnect();
      });`;
    expect(await finding(() => start(program), uses)).toBe(
      `FAIL process1.${reason}; does the program of fork() leave answering to serveQueue()?`,
    );
  });

  test('that sends something else in place of answers is killed, and told', async () => {
    const chatting = start(`process.on('message', () => process.send('hello')); process.stdout.write('ready');`);
    await once(chatting.stdout as NodeJS.ReadableStream, 'data');
    expect(await finding(() => chatting, forks, 1000)).toBe(
      'FAIL process1.open() did not settle within 3000 ms; does its program call serveQueue()? It has sent "hello", which is no answer.',
    );
    expect(chatting.signalCode).toBe('SIGKILL');
  });

  test('may say what it likes besides its answers', async () => {
    expect(await finding(() => start(`process.send('hello'); process.send(5); serveQueue(open);`), uses)).toBe('PASS');
  });

  test('that has no IPC channel is killed, and told', async () => {
    const deaf = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000);'], { stdio: 'ignore' });
    const ended = once(deaf, 'exit');
    const hasNone =
      'FAIL fork() of the namespace answered a process without an IPC channel; fork() of node:child_process makes one';
    expect(await finding(() => deaf as unknown as Peer, forks)).toBe(hasNone);
    await ended;
    expect(deaf.signalCode).toBe('SIGKILL');
  });

  test('that something keeps alive after its close is killed, and told', async () => {
    const lingering = start('setInterval(() => {}, 1000); serveQueue(open);');
    expect(await finding(() => lingering, uses, 3000)).toBe(
      'FAIL after the rule: process1 did not end by itself within 3000 ms after its close(): something keeps it alive',
    );
    expect(lingering.signalCode).toBe('SIGKILL');
  });

  test('that is started too late for its rule is killed', async () => {
    const late = start('setInterval(() => {}, 1000); serveQueue(open);');
    const ended = once(late, 'exit');
    const fork = (): Promise<Peer> => new Promise((resolve) => setTimeout(() => resolve(late), 600));
    expect(await finding(fork, forks, 300)).toBe('FAIL fork() of the namespace did not settle within 300 ms');
    await ended;
    expect(late.signalCode).toBe('SIGKILL');
  });

  test('ends when the one that started it has gone', async () => {
    const orphan = start(`setInterval(() => {}, 1000); serveQueue(open); process.stdout.write('ready');`);
    await once(orphan.stdout as NodeJS.ReadableStream, 'data');
    orphan.disconnect();
    await once(orphan, 'exit');
    expect([orphan.exitCode, orphan.signalCode]).toEqual([0, null]);
  });

  test('that was not started as one says so', () => {
    const channel = process as { send: unknown };
    const { send } = channel;
    channel.send = undefined;
    try {
      expect(() => serveQueue(() => createQueue(memoryDriver()))).toThrow(
        'Cannot serve a queue: this process has no IPC channel; start it with fork() of node:child_process',
      );
    } finally {
      channel.send = send;
    }
    expect(() => serveQueue(5 as never)).toThrow(new TypeError('Cannot serve a queue: open must be a function, got 5'));
  });
});
