import { describe, expect, test } from 'vitest';
import type { Delivery, MessageQueue } from '../../src/index.ts';
import {
  type ConformanceHarness,
  type ConformanceReport,
  formatReport,
  runConformance,
  simulatedHarness,
} from '../../src/conformance.ts';
import { changed, withDeliveries } from './mutant.ts';

const never = (): Promise<never> => new Promise(() => {});
const fails = async (): Promise<never> => {
  throw new Error('no');
};

/** Ten rules that are done in no time, by a queue that is right. */
const only = ['0.1', '0.2', '1.1', '1.2', '1.3', '2.1', '2.2', '3.1', '3.2', '3.3'];

/** A harness whose every queue is changed; `number` counts them from 0. */
function harnessOf(change: (queue: MessageQueue, number: number) => MessageQueue): ConformanceHarness {
  let number = 0;
  return simulatedHarness({ queue: (queue) => change(queue, number++) });
}

const withSettlements = (queue: MessageQueue, changes: Partial<Delivery>): MessageQueue =>
  withDeliveries(queue, (delivery) => changed(delivery, changes));

/** A harness whose queue opens once, and hangs from then on. */
function opensOnce(): ConformanceHarness {
  const { namespace, ...rest } = simulatedHarness();
  let opened = 0;
  return {
    ...rest,
    async namespace(id) {
      const place = await namespace(id);
      return { ...place, open: (options) => (opened++ === 0 ? place.open(options) : never()) };
    },
  };
}

function disposing(dispose: () => Promise<void>): ConformanceHarness {
  const { namespace, ...rest } = simulatedHarness();
  return { ...rest, namespace: async (id) => ({ ...(await namespace(id)), dispose }) };
}

/** How each rule ended. */
const endsOf = ({ rules }: ConformanceReport): readonly string[] =>
  rules.map(({ status, reason }) => `${status} ${reason}`);

describe('a queue is not asked to keep any rule', () => {
  test.for<[call: string, limitMs: number, change: (queue: MessageQueue) => MessageQueue]>([
    ['push()', 5000, (queue) => changed(queue, { push: never })],
    ['pop()', 10_000, (queue) => changed(queue, { pop: never })],
    ['ack()', 5000, (queue) => withSettlements(queue, { ack: never })],
  ])('if %s of its first event never settles', async ([call, limitMs, change]) => {
    const report = await runConformance(harnessOf(change), { only: ['0.1', '0.2'] });
    const problem = `${call} of the first event did not settle within ${limitMs} ms: no rule was run`;
    expect(report.problems).toEqual([problem]);
    expect(report.capabilities?.ack).toBe('individual');
    expect(endsOf(report)).toEqual([
      'FAIL not run, because the queue left a call of its first event hanging',
      'FAIL not run, because the queue left a call of its first event hanging',
    ]);
    expect(formatReport(report).split(problem)).toHaveLength(2);
    expect(formatReport(report)).not.toContain('Check first');
  });
});

describe('the rules find out, and no problem is told besides, if the first event', () => {
  test.for<[what: string, harness: ConformanceHarness]>([
    ['cannot be pushed', harnessOf((queue) => changed(queue, { push: fails }))],
    ['does not come', harnessOf((queue) => changed(queue, { pop: async () => undefined }))],
    ['cannot be acknowledged', harnessOf((queue) => withSettlements(queue, { ack: fails }))],
    [
      'leaves an exception behind that nobody catches',
      harnessOf((queue, number) =>
        changed(queue, {
          push(...call) {
            if (number === 0) void fails();
            return number === 0 ? queue.push(...call) : fails();
          },
        }),
      ),
    ],
    [
      'has no data, because the harness throws',
      { ...simulatedHarness(), payload: { make: () => JSON.parse('{') as unknown } },
    ],
  ])('%s', async ([, harness]) => {
    const report = await runConformance(harness, { only: ['3.1'] });
    expect(report.problems).toEqual([]);
    expect(endsOf(report)).toEqual([expect.stringMatching(/^FAIL (?!not run)/)]);
  });
});

describe('a run in which rules do not end', () => {
  /** Hangs in every push, but for that of the very first queue. */
  const hanging = (): ConformanceHarness =>
    harnessOf((queue, number) => (number === 0 ? queue : changed(queue, { push: never })));

  test('ends after five of them, and says so of the others', async () => {
    const report = await runConformance(hanging(), { only });
    const hung = endsOf(report).filter((end) => end.startsWith('FAIL the rule did not settle within 60000 ms; what'));
    const left = endsOf(report).filter((end) => end.includes('not run'));
    expect(hung).toHaveLength(5);
    expect(new Set(left)).toEqual(new Set(['FAIL not run, because rules before it had hung for too long']));
    expect(report.rules).toHaveLength(only.length);
    expect(report.passed).toBe(false);
  });

  test.for<[what: string, harness: ConformanceHarness, reason: RegExp]>([
    [
      'cannot be closed',
      harnessOf((queue) => changed(queue, { close: never })),
      /^FAIL after the rule: .\.close\(\) did not settle/,
    ],
    ['cannot be opened', opensOnce(), /^FAIL opening the queue did not settle/],
    ['leave something behind', disposing(never), /^FAIL after the rule: dispose\(\) of the namespace did not settle/],
  ])('ends too if they %s', async ([, harness, reason]) => {
    // Each waits for 10 seconds.
    const report = await runConformance({ ...harness, timing: { closeMs: 10_000 } }, { only, ruleLimitMs: 8000 });
    expect(endsOf(report).filter((end) => reason.test(end)).length).toBeLessThanOrEqual(5);
    expect(endsOf(report).filter((end) => end.includes('not run')).length).toBeGreaterThanOrEqual(5);
  });

  test('goes on if they have not taken long', async () => {
    const slow = harnessOf((queue) => changed(queue, { size: never }));
    const report = await runConformance(slow, { only: ['5.1', '5.2', ...only] });
    expect(endsOf(report).filter((end) => end.startsWith('FAIL a.size() did not settle')).length).toBeGreaterThan(0);
    expect(endsOf(report).filter((end) => end.includes('not run'))).toEqual([]);
  });

  test('goes on if there are waivers for them', async () => {
    const waivers = only.map((rule) => ({ rule, issue: 'https://example.org/1', reason: 'being mended' }));
    const report = await runConformance({ ...hanging(), waivers }, { only });
    expect(endsOf(report).filter((end) => end.includes('not run'))).toEqual([]);
    expect(report.totals['KNOWN-VIOLATION']).toBeGreaterThan(5);
  });
});
