import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../..', import.meta.url));

/** What a run of the kit in a process of its own came to. */
interface Run {
  readonly problems: readonly string[];
  /** The rules that did not pass, with their status and the reason. */
  readonly failed: readonly string[];
  /** What a terminal shows. */
  readonly shown: string;
  readonly tookMs: number;
}

const imports = `
  import { createQueue } from '@nq/core';
  import { formatReport, runConformance } from '@nq/core/conformance';
  import { memoryDriver } from '@nq/core/testing';
  const never = () => new Promise(() => {});
  const memoryQueue = (options) => createQueue(memoryDriver(options));
  const harnessOf = (open, more) => ({ name: 'under test', namespace: () => ({ open, dispose() {} }), ...more });
`;

const report = `
  const beganAt = performance.now();
  const report = await runConformance(harness, options);
  const { problems, rules } = report;
  const failed = rules.filter(({ status }) => status !== 'PASS').map(({ id, status, reason }) => id + ' ' + status + ': ' + reason);
  console.log(JSON.stringify({ problems, failed, shown: formatReport(report), tookMs: performance.now() - beganAt }));
  clearInterval(globalThis.left);
`;

/** What a process has printed, and what it has exited with. */
interface End {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the kit as `program` says, in a process that must end by itself within 20 seconds. */
function endOf(program: string): Promise<End> {
  const args = ['--conditions=@nq/source', '--input-type=module', '--eval', imports + program + report];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

async function run(program: string): Promise<Run> {
  const { code, stdout, stderr } = await endOf(program);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Run;
}

/** What is set for queues that do not settle: how long the kit waits for them, in milliseconds. */
const shortTiming = `timing: { patienceMs: 100, closeMs: 100 }`;

describe('a process that runs the kit ends by itself, with a report', () => {
  test('of a queue that is right', async () => {
    const { problems, failed, shown } = await run(
      `const harness = harnessOf(memoryQueue);
       const options = { only: ['0.1', '6.1', '6.2', '6.3', '6.5', '6.9'] };`,
    );
    expect({ problems, failed }).toEqual({ problems: [], failed: [] });
    expect(shown).not.toContain('may not end');
  });

  test('of a queue that leaves a timer behind, which the harness ends', async () => {
    const { problems, failed } = await run(
      `const timers = [];
       const open = (options) => (timers.push(setInterval(() => {}, 1000)), memoryQueue(options));
       const harness = harnessOf(open, { ${shortTiming}, stop: async () => timers.forEach(clearInterval) });
       const options = { only: ['6.1', '6.9'] };`,
    );
    expect(problems).toEqual([]);
    expect(failed).toEqual([expect.stringMatching(/^6\.9 FAIL: .* there are more: Timeout \(\d+ instead of \d+\)$/)]);
  });

  test('of a harness that leaves a timer behind, and says so', async () => {
    const { problems, failed, shown } = await run(
      `const harness = harnessOf(memoryQueue, { start: () => void (globalThis.left = setInterval(() => {}, 1000)) });
       const options = { only: ['0.1'] };`,
    );
    expect({ problems, failed }).toEqual({ problems: [], failed: [] });
    expect(shown).toMatch(/The process may not end: there are still Timeout \(1 instead of 0\)\n/);
  });

  test('of a queue whose close() never settles', async () => {
    const { problems, failed, tookMs } = await run(
      `const open = (options) => Object.assign(memoryQueue(options), { close: never });
       const harness = harnessOf(open, { ${shortTiming} });
       const options = { only: ['0.1', '6.1'] };`,
    );
    expect(problems).toEqual(['closing the queue failed: close() did not settle within 100 ms']);
    expect(failed).toEqual([
      '0.1 FAIL: after the rule: a.close() did not settle within 100 ms',
      expect.stringMatching(/^6\.1 FAIL: a\.close\(\) did not settle within 1\d\d ms$/),
    ]);
    expect(tookMs).toBeLessThan(5000);
  });

  test('of a queue whose close() leaves a rejection that nobody handles', async () => {
    const { problems, failed } = await run(
      `const open = (options) => {
         const queue = memoryQueue(options);
         const close = queue.close.bind(queue);
         return Object.assign(queue, { close: () => (void Promise.reject(new Error('cut off')), close()) });
       };
       const harness = harnessOf(open);
       const options = { only: ['0.1'] };`,
    );
    expect(problems).toEqual(['closing the queue: 1 rejections were handled by nobody; the first: cut off']);
    expect(failed).toEqual([
      expect.stringMatching(/^0\.1 FAIL: \d rejections were handled by nobody; the first: unexpected Error: cut off$/),
    ]);
  });

  test('of a queue that throws in a timer', async () => {
    const { failed } = await run(
      `const open = (options) => {
         const queue = memoryQueue(options);
         const push = queue.push.bind(queue);
         return Object.assign(queue, {
           push: (...call) => (setTimeout(() => { throw new Error('no such host'); }, 1), push(...call)),
         });
       };
       const harness = harnessOf(open);
       const options = { only: ['0.1', '0.2'], seed: 1 };`,
    );
    expect(failed).toContainEqual(
      expect.stringMatching(
        /^0\.2 FAIL: \d exceptions were caught by nobody; the first: unexpected Error: no such host$/,
      ),
    );
  });

  test('of a harness that never starts, and never stops', async () => {
    const { problems, failed, tookMs } = await run(
      `const harness = harnessOf(memoryQueue, { timing: { startMs: 100 }, start: never, stop: never });
       const options = { only: ['0.1'] };`,
    );
    expect(problems).toEqual([
      'start() of the harness failed: it did not settle within 100 ms',
      'stop() of the harness failed: it did not settle within 100 ms',
    ]);
    expect(failed).toEqual(['0.1 FAIL: not run, because the queue could not be opened']);
    expect(tookMs).toBeLessThan(5000);
  });

  test('of a queue that cannot be made', async () => {
    const { problems, failed } = await run(
      `const harness = harnessOf(() => { throw new Error('no such host'); });
       const options = { only: ['0.1', '6.1'] };`,
    );
    expect(problems).toEqual(['opening the queue failed: no such host']);
    expect(failed).toEqual([
      '0.1 FAIL: not run, because the queue could not be opened',
      '6.1 FAIL: not run, because the queue could not be opened',
    ]);
  });

  test('of a queue that is never opened', async () => {
    const { problems, failed, tookMs } = await run(
      `const harness = harnessOf(never, { ${shortTiming} });
       const options = { only: ['0.1'] };`,
    );
    expect({ problems, failed }).toEqual({
      problems: ['opening the queue failed: opening the queue did not settle within 100 ms'],
      failed: ['0.1 FAIL: not run, because the queue could not be opened'],
    });
    expect(tookMs).toBeLessThan(5000);
  });

  test('of a queue that never answers', async () => {
    const { problems, failed, tookMs } = await run(
      `const { capabilities } = memoryDriver();
       const silent = () => ({
         capabilities, capacity: 1, deadLetters: {}, push: never, pushMany: never, pop: never, popMany: never,
         size: never, rewind: never, close: never, [Symbol.asyncDispose]: never,
       });
       const harness = harnessOf(silent, { ${shortTiming} });
       const options = { only: ['0.1', '6.1'], ruleLimitMs: 300 };`,
    );
    expect(problems).toEqual([
      'push() of the first event did not settle within 100 ms: no rule was run',
      'closing the queue failed: close() did not settle within 100 ms',
    ]);
    expect(failed).toEqual([
      '0.1 FAIL: not run, because the queue left a call of its first event hanging',
      '6.1 FAIL: not run, because the queue left a call of its first event hanging',
    ]);
    expect(tookMs).toBeLessThan(5000);
  });

  test('of a queue on a driver that never answers any more', async () => {
    const { problems, failed, tookMs } = await run(
      `let opened = 0;
       const silent = { push: never, pop: never, close: never };
       const open = (options) => createQueue(Object.assign(memoryDriver(options), opened++ === 0 ? {} : silent));
       const harness = harnessOf(open);
       const options = { only: ['6.1'], ruleLimitMs: 300 };`,
    );
    expect(problems).toEqual([]);
    expect(failed).toEqual([
      expect.stringMatching(/^6\.1 FAIL: the rule did not settle within 300 ms; what still waits: a\.push/),
    ]);
    expect(tookMs).toBeLessThan(10_000);
  });
});

describe('a process that ends in the middle of a run', () => {
  const exits = (code: string): string => `
    const open = (options) => {
      const queue = memoryQueue(options);
      const pop = queue.pop.bind(queue);
      return Object.assign(queue, { pop: (...call) => (opened === 1 ? pop(...call) : process.exit(${code})) });
    };
    let opened = 0;
    const harness = harnessOf((options) => (opened++, open(options)));
    const options = { only: ['2.1'] };`;

  test.for([
    ['0', 1],
    ['', 1],
    ['3', 3],
  ] as const)('by process.exit(%s) says during which rule, and exits with %s', async ([given, code]) => {
    const end = await endOf(exits(given));
    expect(end).toEqual({
      code,
      stdout: '',
      stderr:
        'Conformance of under test: the process ends in the middle of the run, during rule 2.1 pop-is-woken; there is no report. Does something call process.exit()?\n',
    });
  });

  test('says so too before there is any rule', async () => {
    const { code, stderr } = await endOf(
      `const harness = harnessOf(memoryQueue, { start: () => process.exit(0) });
       const options = { only: ['2.1'] };`,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('during start() of the harness;');
  });
});
