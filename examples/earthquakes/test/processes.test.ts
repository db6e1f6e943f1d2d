import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { redisOffer, type TestRedis, until, type UntilOptions } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Summary } from '../src/summary.ts';
import { makeOddQueue } from './odd-queue.ts';
import { firstHalf, flawed, idsHeld, isAlive, kill, ProcessesRun, secondHalf, week } from './processes.ts';
import { makeFolder, reportLine, runForSummary, runProgram } from './run-program.ts';

const timeout = 60_000;
const { name, missing, ours, start } = await redisOffer();

/** What is true of every run of the whole week, whatever became of its workers. */
const whole = {
  lines: { read: 1707, broken: 0 },
  dispatched: 1707,
  handled: 1702,
  deadLettered: 5,
  left: 0,
  accounted: 1707,
  expected: 1707,
  alerts: 85,
  strongest: { id: 'us1000chhc', magnitude: 6.4 },
};

/** What a run came to that reads its standard input to the end. */
async function finish(run: ProcessesRun, input = ''): Promise<Awaited<ProcessesRun['ended']> & { summary: Summary }> {
  run.child.stdin.end(input);
  const result = await run.ended;
  if (result.stdout === '') throw new Error(`The program printed no report, but said: ${result.stderr}`);
  return { ...result, summary: JSON.parse(result.stdout) as Summary };
}

function untilGone(pids: readonly number[], options: UntilOptions = {}): Promise<true> {
  return until('the workers to be gone', () => !pids.some(isAlive), options);
}

describe.skipIf(missing !== undefined)(`three processes on ${name}`, { timeout }, () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  let queues = 0;
  /** The URL of a queue that no other test has. */
  const url = (more = ''): string => `${server.url}/0?queueKey=quakes:${++queues}&capacity=5000${more}`;
  const three = (queue: string): string[] => ['--json', '--processes', '3', '--queue', queue];

  /** The queue as a configuration file of the first program has it. */
  function configuration(): string {
    const addr = `${server.host}:${server.port}`;
    const extra = { addr, password: '', db: 0, queue_key: 'notification:events' };
    return JSON.stringify({ type: 'redis', bufferSize: 5000, extra });
  }

  test('account for the whole week, with the queue as a configuration file has it', async () => {
    const folder = makeFolder();
    const args = [...three(configuration()), '--audit', join(folder, 'audit.ndjson')];
    const { code, summary, stderr } = await runForSummary(args);
    expect(code).toBe(0);
    expect(summary).toMatchObject({ ...whole, duplicates: 0, failed: 30, problems: [] });
    expect(summary.retries).toEqual({ inPlace: 15, redelivered: 10, total: 25 });
    const { workers } = summary;
    expect(workers.map(({ number, end, killedBy }) => ({ number, end, killedBy }))).toEqual(
      [1, 2, 3].map((number) => ({ number, end: 'ended', killedBy: undefined })),
    );
    expect(workers.map(({ audit }) => audit.path)).toEqual([1, 2, 3].map((n) => join(folder, `audit-${n}.ndjson`)));
    expect(workers.reduce((sum, { handled }) => sum + handled, 0)).toBe(1702);
    expect(Math.min(...workers.map(({ handled }) => handled))).toBeGreaterThan(0);
    expect(new Set(workers.map(({ pid }) => pid)).size).toBe(3);
    expect(stderr).toContain('dispatched 1,707 of 1,707\n');
  });

  test.for<readonly [string, () => string, () => string, string]>([
    ['a URL', () => url('&leaseMs=1000'), () => `quakes:${queues}`, '1.0 s'],
    // What it does not say is as it is by default: the lease, too.
    ['a configuration file', configuration, () => 'notification:events', '30.0 s'],
  ])(
    'of which one is killed half-way, with events in hand, account for it, each event once, with the queue as %s has it',
    { timeout: 120_000 },
    async ([, queue, queueKey, lease]) => {
      const run = new ProcessesRun(three(queue()));
      const pids = await run.pids(3);
      const [first, second, third] = pids as [number, number, number];
      // So that worker 2 alone has anything in hand.
      for (const pid of [first, third]) process.kill(pid, 'SIGSTOP');
      run.child.stdin.write(firstHalf);
      await until('worker 2 to have handled some', () => run.records(2).length >= 100);
      await until('worker 2 to have some in hand', async () => {
        process.kill(second, 'SIGSTOP');
        if ((await idsHeld(server, queueKey())).length > 0) return true;
        process.kill(second, 'SIGCONT');
        return false;
      });
      kill(second);
      await untilGone([second]);
      const held = await idsHeld(server, queueKey());
      expect(held).not.toEqual([]);
      for (const pid of [first, third]) process.kill(pid, 'SIGCONT');
      const { code, summary, stderr } = await finish(run, secondHalf);
      expect(code).toBe(0);
      expect(summary).toMatchObject({ ...whole, problems: [] });
      expect(summary.workers.map(({ killedBy }) => killedBy)).toEqual([undefined, 'SIGKILL', undefined]);
      const idsOf = (numbers: readonly number[]) =>
        numbers.flatMap((number) => run.records(number)).map(({ id }) => id);
      // The others have handled what it had in hand, but for what nobody can handle.
      expect(idsOf([1, 3])).toEqual(expect.arrayContaining(held.filter((id) => !flawed.has(id))));
      const ids = idsOf([1, 2, 3]);
      expect(ids.length).toBe(1702 + summary.duplicates);
      expect(new Set(ids).size).toBe(1702);
      expect(stderr).toContain(
        `worker 2 (process ${pids[1]}) was killed by SIGKILL; the others get what it had in hand`,
      );
      expect(stderr).toContain(`within ${lease}\n`);
    },
  );

  test('of which one is killed before it could acknowledge count what it had handled once, and say so', async () => {
    const stuck = 'nn00620575';
    // The first hand-out of one event is never acknowledged.
    const cwd = makeOddQueue(`
      const open = async (options) => {
        const queue = await redisQueue(options);
        const never = () => new Promise(() => {});
        const late = (delivery) =>
          delivery.event.id === '${stuck}' && delivery.attempt === 1 ? change(delivery, { ack: never }) : delivery;
        return change(queue, { popMany: async (...args) => (await queue.popMany(...args)).map(late) });
      };`);
    const queue = `odd://?url=${encodeURIComponent(server.url)}&queueKey=quakes:stuck&leaseMs=1000`;
    const run = new ProcessesRun(three(queue), { cwd });
    const pids = await run.pids(3);
    run.child.stdin.write(firstHalf);
    const has = (number: number): boolean => run.records(number).some(({ id }) => id === stuck);
    const number = await until('somebody to have handled it', () => [1, 2, 3].find(has));
    kill(pids[number - 1]);
    const { code, summary } = await finish(run, secondHalf);
    expect(code).toBe(0);
    expect(summary).toMatchObject({ ...whole, problems: [] });
    expect(summary.duplicates).toBeGreaterThanOrEqual(1);
    expect([1, 2, 3].filter(has)).toHaveLength(2);
    expect(summary.audit.lines).toBe(1702 + summary.duplicates);
  });

  test('of which one is told to end by SIGTERM give back what it had in hand, and nothing is handled twice', async () => {
    const run = new ProcessesRun(three(url()));
    const pids = await run.pids(3);
    run.child.stdin.write(firstHalf);
    const number = await until('somebody to have handled some', () => run.busy(100));
    const pid = pids[number - 1] as number;
    process.kill(pid, 'SIGTERM');
    await untilGone([pid]);
    const { code, summary, stderr } = await finish(run, secondHalf);
    expect(code).toBe(0);
    expect(summary).toMatchObject({ ...whole, duplicates: 0, problems: [] });
    expect(stderr).toContain(`worker ${number} (process ${pid}) ended\n`);
  });

  test('that are all killed end the program with what is left, and the next run finds it', async () => {
    const args = three(url('&leaseMs=1000'));
    const run = new ProcessesRun(args);
    const pids = await run.pids(3);
    run.child.stdin.write(firstHalf);
    await until('somebody to have handled some', () => run.busy(100));
    for (const pid of pids) kill(pid);
    // Standard input stays open.
    const { code, stdout, stderr } = await run.ended;
    expect(code).toBe(1);
    const killed = [1, 2, 3].map((number) => `worker ${number} was killed by SIGKILL`);
    expect(stderr).toContain(`error: no worker is left: ${killed.join(', ')}\n`);
    const summary = JSON.parse(stdout) as Summary;
    expect(summary.accounted).toBe(summary.dispatched);
    expect(summary.workers.map(({ killedBy }) => killedBy)).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL']);

    const next = await finish(new ProcessesRun(args), secondHalf);
    expect(next.code).toBe(0);
    const dispatched = week.length - 853;
    expect(next.summary).toMatchObject({ dispatched, accounted: next.summary.found + dispatched, problems: [] });
    // What the first run had handled, and not acknowledged, is found as well.
    expect(next.summary.found).toBeGreaterThanOrEqual(summary.left);
  });

  test('of which one cannot write its audit log go on without it, and the program says why', async () => {
    const audit = join(makeFolder(), 'audit.ndjson');
    symlinkSync('/dev/full', audit.replace('.ndjson', '-2.ndjson'));
    const { code, summary, stderr } = await runForSummary([...three(url()), '--audit', audit]);
    expect(code).toBe(1);
    expect(summary).toMatchObject(whole);
    expect(stderr).toMatch(/^error: worker 2 failed: Cannot write the audit log .*: there is no space left$/m);
    expect(summary.workers.map(({ end }) => end)).toEqual(['ended', 'failed', 'ended']);
  });

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'end by %s with exit code %i, what is in hand finished and the rest given back',
    async ([signal, exitCode]) => {
      const run = new ProcessesRun(three(url()));
      const pids = await run.pids(3);
      run.child.stdin.write(week.map((line) => `${line}\n`).join(''));
      await until('somebody to have handled some', () => run.busy(10));
      run.child.kill(signal);
      const { code, stdout, stderr } = await run.ended;
      expect(code).toBe(exitCode);
      const summary = JSON.parse(stdout) as Summary;
      expect(summary).toMatchObject({ endedBy: signal, duplicates: 0, accounted: summary.dispatched, problems: [] });
      expect(summary.workers.map(({ end }) => end)).toEqual(['ended', 'ended', 'ended']);
      expect(stderr).not.toMatch(/^worker \d .*(ended|killed)/m);
      expect(pids.filter(isAlive)).toEqual([]);
    },
  );

  test('end when their program is killed', async () => {
    const run = new ProcessesRun(three(url()));
    const pids = await run.pids(3);
    run.child.stdin.write(firstHalf);
    await until('somebody to have handled some', () => run.busy(10));
    kill(run.child.pid);
    expect(await untilGone(pids)).toBe(true);
  });
});

describe.skipIf(missing !== undefined || !ours)(`a restart of ${name}`, { timeout }, () => {
  test('half-way loses nothing', async () => {
    await using server = await start({ config: ['appendonly yes'] });
    const run = new ProcessesRun([
      '--json',
      '--processes',
      '3',
      '--queue',
      `${server.url}?queueKey=quakes&leaseMs=1000`,
    ]);
    await run.pids(3);
    run.child.stdin.write(firstHalf);
    await until('somebody to have handled some', () => run.busy(100));
    run.child.stdin.write(secondHalf);
    await server.restart();
    const { code, summary } = await finish(run);
    expect(code).toBe(0);
    expect(summary).toMatchObject({ ...whole, problems: [] });
  });
});

describe.skipIf(missing !== undefined || !ours)(`the end of ${name}`, { timeout }, () => {
  test('ends the program with one sentence, and its workers', async () => {
    await using server = await start();
    const queue = `${server.url}?queueKey=quakes&requestTimeoutMs=500`;
    const run = new ProcessesRun(['--json', '--processes', '3', '--queue', queue]);
    const pids = await run.pids(3);
    run.child.stdin.write(firstHalf);
    await until('somebody to have handled some', () => run.busy(10));
    await server.kill();
    // Standard input stays open.
    run.child.stdin.write(secondHalf);
    const { code, stdout, stderr } = await run.ended;
    expect([code, stdout]).toEqual([1, '']);
    const nobody = String.raw`nothing listens at the address \([^ ]+:\d+\)`;
    const why = `what became of the events cannot be told: Cannot count dead letters: ${nobody}`;
    expect(stderr).toMatch(new RegExp(`^error: Cannot .*; ${why}\n$`, 'm'));
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe.skipIf(missing !== undefined)(`one process with one worker on ${name}`, { timeout }, () => {
  test('handles the reports of each network in their order', async () => {
    await using server = await start();
    const queue = `${server.url}?queueKey=quakes&capacity=5000`;
    const run = new ProcessesRun(['--json', '--processes', '1', '--workers', '1', '--queue', queue]);
    const [worker = 0] = await run.pids(1);
    // Most of it is in the queue before any of it is handled: otherwise there is nothing to be in another order.
    process.kill(worker, 'SIGSTOP');
    run.child.stdin.write(firstHalf + secondHalf);
    await until('most of the week to be dispatched', () => run.hasSaid('dispatched 1,500\n'));
    process.kill(worker, 'SIGCONT');
    const { code, summary } = await finish(run);
    expect([code, summary.accounted]).toEqual([0, 1707]);
    const handled = new Map<string, string[]>();
    for (const { key = '', id } of run.records(1)) handled.set(key, [...(handled.get(key) ?? []), id]);
    const expected = new Map<string, string[]>();
    for (const line of week) {
      const { id, properties } = JSON.parse(line);
      if (properties.rms !== null) expected.set(properties.net, [...(expected.get(properties.net) ?? []), id]);
    }
    expect(handled).toEqual(expected);
  });
});

describe('--processes', { timeout }, () => {
  test.for(['channel://?capacity=1000', '{"type":"channel","bufferSize":5}'])(
    'is refused for %s, which is in one process, before anything happens',
    async (queue) => {
      const audit = join(makeFolder(), 'audit.ndjson');
      const { code, stdout, stderr } = await runProgram(['--processes', '3', '--queue', queue, '--audit', audit]);
      const why = 'a channel is in one process only (its capabilities say multiInstance: false)';
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toBe(`error: Cannot work with --processes: ${why}; give a queue elsewhere with --queue\n`);
      expect(existsSync(audit.replace('.ndjson', '-1.ndjson'))).toBe(false);
    },
  );

  const shared = `
    const queue = channelQueue();
    const shared = change(queue, { capabilities: { ...queue.capabilities, multiInstance: true } });`;
  const args = ['--processes', '2', '--queue', 'odd://', '--input', '-'];

  test('ends the program with one sentence where a worker cannot open the queue', async () => {
    const refused = `throw new NqError('NQ_UNAVAILABLE', 'Cannot open: not for you')`;
    const cwd = makeOddQueue(`${shared} const open = () => { if (process.send) { ${refused}; } return shared; };`);
    const { code, stdout, stderr } = await runProgram([...args, '--audit', join(cwd, 'audit')], { cwd });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^error: worker [12] failed: Cannot open: not for you\n$/);
  });

  test('ends it like that where a worker dies before it has begun', async () => {
    const cwd = makeOddQueue(`${shared} const open = () => process.send ? process.exit(7) : shared;`);
    const { code, stdout, stderr } = await runProgram([...args, '--audit', join(cwd, 'audit')], { cwd });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^error: worker [12] ended with exit code 7\n$/);
  });

  test('that would write an audit log over the input is refused', async () => {
    const cwd = makeOddQueue(`${shared} const open = () => shared;`);
    const input = join(cwd, 'audit-2');
    writeFileSync(input, reportLine('r1'));
    const { code, stderr } = await runProgram(
      ['--processes', '2', '--queue', 'odd://', '--input', input, '--audit', join(cwd, 'audit')],
      { cwd },
    );
    expect([code, stderr]).toEqual([2, `error: Cannot write the audit log over the input ${input}\n`]);
    expect(readFileSync(input, 'utf8')).toBe(reportLine('r1'));
  });

  test('leaves no worker behind that cannot end', async () => {
    const cwd = makeOddQueue(
      `${shared} const open = () => change(shared, { close: () => new Promise(() => setInterval(() => {}, 1000)) });`,
    );
    const run = new ProcessesRun(args, { cwd });
    const pids = await run.pids(2);
    kill(run.child.pid);
    expect(await untilGone(pids)).toBe(true);
  });

  test.skipIf(process.platform === 'win32')('ends at once at the second Ctrl-C, workers included', async () => {
    // A queue that never lets go: after the first one they would wait for it, for ten seconds.
    const cwd = makeOddQueue(`
      ${shared}
      await queue.push({ type: 'other', id: 'stuck' });
      const never = () => new Promise(() => {});
      const open = () => change(shared, {
        close: never,
        tryPop: undefined,
        popMany: async (...args) => (await queue.popMany(...args)).map((delivery) => change(delivery, { ack: never, nack: never })),
      });`);
    const run = new ProcessesRun(args, { cwd });
    const pids = await run.pids(2);
    await until('both workers to have it', () => [1, 2].every((number) => run.records(number).length > 0));
    // A terminal tells every process of the program. What the program alone is told reaches nobody if it ends just then.
    for (const pid of pids) process.kill(pid, 'SIGINT');
    await until('the program to be gone', () => {
      run.child.kill('SIGINT');
      return run.child.signalCode;
    });
    await untilGone(pids, { deadlineMs: 8000 });
    expect(run.child.signalCode).toBe('SIGINT');
  });
});
