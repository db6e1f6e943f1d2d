import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartitionTracker } from '../src/partition-tracker.ts';

describe('a partition tracker', () => {
  test('commits up to the first record that is not done', () => {
    const tracker = new PartitionTracker(10);
    for (const offset of [10, 11, 12, 13]) expect(tracker.receive(offset)).toBe(true);
    tracker.complete(11);
    tracker.complete(13);
    expect(tracker.watermark).toBe(10);
    expect(tracker.doneBehind()).toEqual([
      { start: 11, end: 12 },
      { start: 13, end: 14 },
    ]);
    tracker.complete(10);
    expect(tracker.watermark).toBe(12);
    tracker.complete(12);
    expect([tracker.watermark, tracker.end, tracker.doneBehind()]).toEqual([14, 14, []]);
  });

  test('takes offsets that never come for done, so that what is behind them can be committed', () => {
    const tracker = new PartitionTracker(0);
    tracker.receive(5);
    expect(tracker.watermark).toBe(5);
    tracker.receive(1_000_000_000);
    tracker.complete(5);
    expect(tracker.watermark).toBe(1_000_000_000);
    tracker.complete(1_000_000_000);
    tracker.skipTo(2_000_000_000);
    expect([tracker.watermark, tracker.runs]).toEqual([2_000_000_000, 0]);
  });

  test('counts the runs that were done before it had the partition once it has reached them, and none when all is done', () => {
    const tracker = new PartitionTracker(0, [
      { start: 1, end: 2 },
      { start: 3, end: 4 },
    ]);
    expect(tracker.runs).toBe(0);
    const received = [0, 1, 2, 3, 4].filter((offset) => tracker.receive(offset));
    expect([received, tracker.runs]).toEqual([[0, 2, 4], 2]);
    for (const offset of received) tracker.complete(offset);
    expect([tracker.watermark, tracker.runs]).toEqual([5, 0]);
  });

  test('leaves out what was done before it had the partition', () => {
    const tracker = new PartitionTracker(10, [
      { start: 12, end: 14 },
      { start: 16, end: 17 },
    ]);
    const handled = [10, 11, 12, 13, 14, 15, 16, 17].filter((offset) => tracker.receive(offset));
    expect(handled).toEqual([10, 11, 14, 15, 17]);
    for (const offset of [10, 11]) tracker.complete(offset);
    expect(tracker.watermark).toBe(14);
  });

  test('keeps what was done before also while the records in front of it have not come', () => {
    const tracker = new PartitionTracker(10, [{ start: 100, end: 200 }]);
    tracker.receive(10);
    tracker.receive(11);
    tracker.complete(11);
    expect(tracker.doneBehind()).toEqual([
      { start: 11, end: 12 },
      { start: 100, end: 200 },
    ]);
  });

  test('does not take a record twice', () => {
    const tracker = new PartitionTracker(3);
    expect([2, 3, 3, 4].map((offset) => tracker.receive(offset))).toEqual([false, true, false, true]);
  });

  test('answers as a plain set of offsets would, whatever the order', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('receive' as const), gap: fc.nat(4) }),
      fc.record({ do: fc.constant('skip' as const), gap: fc.nat(6) }),
      fc.record({ do: fc.constant('complete' as const), which: fc.nat() }),
    );
    const doneRuns = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(fc.nat(50), doneRuns, fc.array(step, { maxLength: 80 }), (position, doneBefore, steps) => {
        const done = new Set<number>();
        let at = position;
        const before = doneBefore.map(([open, length]) => {
          const start = at + open;
          at = start + length;
          for (let offset = start; offset < at; offset++) done.add(offset);
          return { start, end: at };
        });
        const tracker = new PartitionTracker(position, before);
        const open: number[] = [];
        // What comes next, counted apart from the tracker.
        let next = position;
        const [told, expected]: boolean[][] = [[], []];
        for (const one of steps) {
          if (one.do === 'complete') {
            const [offset] = open.splice(one.which % Math.max(1, open.length), 1);
            if (offset === undefined) continue;
            done.add(offset);
            tracker.complete(offset);
          } else {
            const to = next + one.gap;
            for (; next < to; next++) done.add(next);
            if (one.do === 'skip') tracker.skipTo(to);
            else {
              const isNew = !done.has(to);
              told?.push(tracker.receive(to));
              expected?.push(isNew);
              if (isNew) open.push(to);
              next = to + 1;
            }
          }
          let watermark = position;
          while (done.has(watermark)) watermark++;
          expect(tracker.watermark).toBe(watermark);
          const behind = [...done].filter((offset) => offset > watermark).sort((a, b) => a - b);
          const runs = tracker.doneBehind().flatMap(({ start, end }) => {
            return Array.from({ length: end - start }, (_, index) => start + index);
          });
          expect(runs).toEqual(behind);
        }
        expect(told).toEqual(expected);
      }),
    );
  });
});
