import { describe, expect, test } from 'vitest';
import { createQueue, type MessageQueue, NqError } from '../../src/index.ts';
import {
  type ConformanceHarness,
  ConformanceSession,
  type Faults,
  formatReport,
  type Inspection,
  type Namespace,
  type Rule,
  type RuleResult,
  runConformance,
  simulatedHarness,
} from '../../src/conformance.ts';
import { memoryDriver } from '../../src/testing.ts';
import { changed, harnessOf } from './mutant.ts';
import { mutants } from './mutants.ts';

const harmless: Rule = {
  id: '99.1',
  slug: 'test',
  level: 'MUST',
  claim: 'core',
  tier: 'smoke',
  text: 'A rule for a test.',
  why: '',
  checkFirst: '',
  mutants: [],
  async run(trial) {
    trial.verify(true, 'never');
  },
};

/** A session is not made for nothing; which rules it has does not matter to one that is run by hand. */
const only = ['0.1'];

/** How `rule` ends on the harness. */
async function resultOf(rule: Partial<Rule>, harness: ConformanceHarness = simulatedHarness()): Promise<RuleResult> {
  const session = new ConformanceSession(harness, { only, ruleLimitMs: 30_000 });
  await session.start();
  const result = await session.run({ ...harmless, ...rule });
  await session.end();
  return result;
}

/** A harness whose every queue is changed. */
function withQueue(change: (queue: MessageQueue) => MessageQueue): ConformanceHarness {
  return simulatedHarness({ queue: change });
}

const never = (): Promise<never> => new Promise(() => {});
const nothingHolds = { text: 'magic', capabilities: [], holds: () => false } as const;

describe('a rule', () => {
  test('that verifies nothing is VACUOUS', async () => {
    const run = async (): Promise<void> => {};
    expect(await resultOf({ run })).toMatchObject({ status: 'VACUOUS', reason: 'the rule ran and verified nothing' });
  });

  test('that the queue does not declare anything for does not apply, or must find it refused', async () => {
    expect(await resultOf({ requires: nothingHolds })).toMatchObject({
      status: 'N-A',
      reason: 'the queue does not declare magic',
      verified: 0,
    });
    const refused = { requires: nothingHolds, otherwise: harmless.run };
    expect(await resultOf(refused)).toMatchObject({ status: 'N-A', verified: 1 });
    const otherwise: Rule['run'] = async (trial) => trial.verify(false, 'it worked');
    expect(await resultOf({ requires: nothingHolds, otherwise })).toMatchObject({
      status: 'FAIL',
      reason: 'it worked',
    });
  });

  test('that needs a hook which is not there is NOT-VERIFIED', async () => {
    const harness: ConformanceHarness = {
      ...simulatedHarness(),
      namespace: () => ({ open: () => createQueue(memoryDriver()), dispose() {} }),
    };
    expect(await resultOf({ hooks: ['crash'] }, harness)).toMatchObject({
      status: 'NOT-VERIFIED',
      reason: 'the harness has no hook crash',
    });
    expect(await resultOf({ hooks: ['crash'] })).toMatchObject({ status: 'PASS' });
  });

  test('that waits for ever ends at its limit, and what it waits for is named', async () => {
    const run: Rule['run'] = async (trial) => {
      await (await trial.open()).pop();
    };
    expect(await resultOf({ run })).toMatchObject({
      status: 'FAIL',
      reason: 'the rule did not settle within 30000 ms; what still waits: a.pop(), for 30000 ms',
    });
  });

  test('names the hook that it waits for', async () => {
    const { namespace, ...rest } = simulatedHarness();
    const hanging = async (id: string): Promise<Namespace> => ({ ...(await namespace(id)), crash: never });
    const run: Rule['run'] = async (trial) => {
      await trial.crash(await trial.open());
    };
    expect(await resultOf({ run }, { ...rest, namespace: hanging })).toMatchObject({
      status: 'FAIL',
      reason: 'the rule did not settle within 30000 ms; what still waits: crash(a), for 30000 ms',
    });
  });

  test('that ends at its limit although every call settles says what to do about a slow queue', async () => {
    const run: Rule['run'] = async (trial) => {
      for (;;) await trial.wait(1000);
    };
    expect(await resultOf({ run })).toMatchObject({
      status: 'FAIL',
      reason:
        'the rule did not settle within 30000 ms. No call hangs: if the queue is slow, raise timing.scale of the harness',
    });
  });

  test.for<[answer: unknown, said: string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [3, '3'],
    [{ ready: 0, inFlight: 0, delayed: 0 }, 'deadLetters: undefined'],
    [{ ready: 0, inFlight: '0', delayed: 0, deadLetters: 0 }, 'inFlight: "0"'],
    [{ ready: NaN, inFlight: 0, delayed: 0, deadLetters: 0 }, 'ready: NaN'],
  ])('fails if inspect() answers %o, and says so', async ([answer, said]) => {
    const { namespace, ...rest } = simulatedHarness();
    const counting = async (id: string): Promise<Namespace> => ({
      ...(await namespace(id)),
      inspect: () => answer as Inspection,
    });
    const run: Rule['run'] = async (trial) => {
      await trial.inspect();
    };
    expect(await resultOf({ run }, { ...rest, namespace: counting })).toMatchObject({
      status: 'FAIL',
      reason: `inspect() of the namespace answered ${said}; expected the numbers ready, inFlight, delayed, deadLetters`,
    });
  });

  test('names the hook that rejects', async () => {
    const { namespace, ...rest } = simulatedHarness();
    const failing = async (id: string): Promise<Namespace> => ({ ...(await namespace(id)), inspect: () => fail() });
    const run: Rule['run'] = async (trial) => {
      await trial.inspect();
    };
    expect(await resultOf({ run }, { ...rest, namespace: failing })).toMatchObject({
      status: 'FAIL',
      reason: 'unexpected Error: no; it came from inspect()',
    });
  });

  test('fails if a call that must settle does not, and names the call', async () => {
    const run: Rule['run'] = async (trial) => {
      await (await trial.open()).size();
    };
    const harness = withQueue((queue) => changed(queue, { size: never }));
    expect(await resultOf({ run }, harness)).toMatchObject({
      status: 'FAIL',
      reason: 'a.size() did not settle within 5000 ms',
    });
  });

  test('fails if the queue cannot be closed after it', async () => {
    const run: Rule['run'] = async (trial) => {
      await trial.open();
      trial.verify(true, 'never');
    };
    const session = new ConformanceSession(
      withQueue((queue) => {
        let closed = 0;
        // The first one is closed by the session, before any rule.
        return changed(queue, { close: () => (closed++ > 0 ? never() : queue.close()) });
      }),
      { only },
    );
    await session.start();
    const closesTwice: Rule['run'] = async (trial) => {
      await run(trial);
      await (await trial.open()).close();
    };
    expect(await session.run({ ...harmless, run: closesTwice })).toMatchObject({
      status: 'FAIL',
      reason: 'after the rule: b.close() did not settle within 10000 ms',
    });
    await session.end();
  });

  test('fails if a rejection is handled by nobody while it runs', async () => {
    const run: Rule['run'] = async (trial) => {
      void Promise.reject(new Error('forgotten'));
      trial.verify(true, 'never');
    };
    expect(await resultOf({ run })).toMatchObject({
      status: 'FAIL',
      reason: '1 rejections were handled by nobody; the first: unexpected Error: forgotten',
    });
  });

  test('fails if an exception is caught by nobody while it runs', async () => {
    const run: Rule['run'] = async (trial) => {
      setImmediate(() => {
        throw new Error('thrown in a timer');
      });
      await trial.wait(1);
      trial.verify(true, 'never');
    };
    expect(await resultOf({ run })).toMatchObject({
      status: 'FAIL',
      reason: '1 exceptions were caught by nobody; the first: unexpected Error: thrown in a timer',
    });
  });

  test('says what it has observed, and which exception may be the cause', async () => {
    const run: Rule['run'] = async (trial) => {
      trial.clock.schedule(() => fail(), 1);
      await trial.wait(2);
      trial.verify(false, 'nothing came');
    };
    expect(await resultOf({ run })).toMatchObject({
      status: 'FAIL',
      reason: 'nothing came; besides, 1 exceptions were caught by nobody; the first: unexpected Error: no',
    });
  });

  test('says of an error that it did not expect what caused it, and which call rejected with it', async () => {
    const failing = withQueue((queue) =>
      changed(queue, {
        pop: async () => {
          throw new NqError('NQ_BACKEND', 'Cannot pop: the backend failed', {
            cause: new RangeError('no such stream'),
          });
        },
      }),
    );
    const run: Rule['run'] = async (trial) => {
      const queue = await trial.open();
      await queue.pop({ timeoutMs: 5 });
    };
    expect(await resultOf({ run }, failing)).toMatchObject({
      status: 'FAIL',
      reason:
        'unexpected NQ_BACKEND: Cannot pop: the backend failed (cause: RangeError: no such stream); it came from a.pop(5 ms)',
    });
  });

  test('fails if an event comes out that nobody has pushed', async () => {
    const run: Rule['run'] = async (trial) => {
      const queue = await trial.open();
      await queue.raw.push({ id: 'stranger', type: 'x' });
      trial.verify(true, 'never');
      await trial.take(queue);
    };
    expect(await resultOf({ run })).toMatchObject({ status: 'FAIL', reason: expect.stringContaining('"stranger"') });
  });
});

describe('a waiver', () => {
  const mutant = mutants.find(({ name }) => name === 'local-only');
  const waivers = [{ rule: '0.3', issue: 'https://example.org/1', reason: 'being mended' }];

  test('turns a broken rule into a known violation', async () => {
    if (mutant === undefined) throw new Error('there is no such mutant');
    const report = await runConformance({ ...harnessOf(mutant, () => {}), waivers }, { only: ['0.3'] });
    expect(report.rules).toMatchObject([
      {
        status: 'KNOWN-VIOLATION',
        reason: expect.stringMatching(/^being mended \(https:\/\/example\.org\/1\)\. Observed: /),
      },
    ]);
    expect(report.passed).toBe(true);
  });

  test('of a rule that is kept fails the run', async () => {
    const report = await runConformance({ ...simulatedHarness(), waivers }, { only: ['0.3'] });
    expect(report.rules).toMatchObject([{ status: 'FAIL', reason: expect.stringContaining('remove the waiver') }]);
    expect(report.passed).toBe(false);
  });
});

describe('runConformance()', () => {
  const failing = (changes: Partial<ConformanceHarness>): ConformanceHarness => ({ ...simulatedHarness(), ...changes });

  test.each([
    [
      'throws in open()',
      failing({ namespace: () => ({ open: () => fail(), dispose() {} }) }),
      'opening the queue failed: no',
    ],
    ['throws in namespace()', failing({ namespace: () => fail() }), 'opening the queue failed: no'],
    [
      'never opens',
      failing({ namespace: () => ({ open: never, dispose() {} }) }),
      'opening the queue failed: opening the queue did not settle within 10000 ms',
    ],
    ['throws in start()', failing({ start: async () => fail() }), 'start() of the harness failed: no'],
    [
      'never starts',
      failing({ start: never, timing: { startMs: 20 } }),
      'start() of the harness failed: it did not settle within 20 ms',
    ],
    [
      'answers no namespace',
      failing({ namespace: () => undefined as unknown as Namespace }),
      'opening the queue failed: Cannot run the rules: namespace() must be an object, got undefined',
    ],
    [
      'answers a namespace with a hook that there is not',
      failing({ namespace: () => ({ open: () => fail(), dispose() {}, crsh() {} }) }),
      'opening the queue failed: Cannot run the rules: unknown member "crsh" of namespace(); known are open, faults, crash, fork, inspect, injectRaw, dispose',
    ],
    [
      'answers a namespace with faults that are not all there',
      failing({ namespace: () => ({ open: () => fail(), dispose() {}, faults: { cut() {} } as unknown as Faults }) }),
      'opening the queue failed: Cannot run the rules: namespace().faults.cutBeforeAnswer must be a function, got undefined',
    ],
    [
      'opens nothing',
      failing({ namespace: () => ({ open: () => undefined as unknown as MessageQueue, dispose() {} }) }),
      'opening the queue failed: open() of the namespace answered undefined; expected a MessageQueue',
    ],
    [
      'opens a driver',
      failing({ namespace: () => ({ open: () => memoryDriver() as unknown as MessageQueue, dispose() {} }) }),
      'opening the queue failed: open() of the namespace answered an object without pushMany(); expected a MessageQueue, which createQueue() makes of a driver',
    ],
  ])('reports a harness that %s once, and runs no rule', async (_, harness, problem) => {
    const report = await runConformance(harness, { only: ['0.1', '0.2'] });
    expect(report.passed).toBe(false);
    expect(report.problems).toEqual([problem]);
    expect(report.rules.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
      'FAIL not run, because the queue could not be opened',
      'FAIL not run, because the queue could not be opened',
    ]);
    expect(formatReport(report).split(problem)).toHaveLength(2);
    expect(formatReport(report)).not.toContain('Check first');
  });

  test('reports a harness that never stops, with what the rules have found', async () => {
    const report = await runConformance(failing({ stop: never, timing: { startMs: 20 } }), { only });
    expect(report.problems).toEqual(['stop() of the harness failed: it did not settle within 20 ms']);
    expect(report.rules).toMatchObject([{ status: 'PASS' }]);
  });

  test('reports a hook that never settles as what the rule has found', async () => {
    const { namespace, ...rest } = simulatedHarness();
    const harness: ConformanceHarness = {
      ...rest,
      async namespace(id) {
        const place = await namespace(id);
        return { ...place, faults: { ...(place.faults as Faults), heal: never } };
      },
    };
    const run: Rule['run'] = async (trial) => {
      await trial.open();
      await trial.faults.delay(1);
      trial.verify(true, 'never');
    };
    expect(await resultOf({ run }, harness)).toMatchObject({
      status: 'FAIL',
      reason: 'after the rule: heal() of the faults did not settle within 10000 ms',
    });
  });

  test('counts what was not verified as broken only if it is strict', async () => {
    const bare: ConformanceHarness = failing({
      namespace: () => ({ open: () => createQueue(memoryDriver({ clock: simulatedHarness().clock })), dispose() {} }),
    });
    for (const strict of [false, true]) {
      const session = new ConformanceSession(bare, { only, strict });
      await session.start();
      await session.run({ ...harmless, hooks: ['restart'] });
      expect((await session.end()).passed).toBe(!strict);
    }
  });

  test('runs the rules in another order with another seed, and in the same with the same', async () => {
    const orderOf = ({ rules }: ConformanceSession): string => rules.map(({ id }) => id).join();
    const orders = [1, 2, 1].map((seed) => orderOf(new ConformanceSession(simulatedHarness(), { seed })));
    expect(orders[0]).not.toBe(orders[1]);
    expect(orders[0]).toBe(orders[2]);
  });
});

function fail(): never {
  throw new Error('no');
}
