import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { QueueDriver } from '../src/index.ts';
import { SettleLine } from '../src/settle-line.ts';
import { memoryDriver } from '../src/testing.ts';

/** A line whose requests are answered when the test says so. */
function newLine(settlesAtOnce?: number) {
  const asked: { readonly items: readonly number[]; readonly answer: () => void }[] = [];
  const limit = settlesAtOnce === undefined ? {} : { settlesAtOnce };
  const driver: QueueDriver = Object.assign(memoryDriver(), limit);
  const settle = (items: readonly number[]): Promise<readonly boolean[]> =>
    new Promise((resolve) => {
      asked.push({ items, answer: () => resolve(items.map((item) => item > 0)) });
    });
  return { line: new SettleLine<number>(driver, 'ack', settle), asked, items: () => asked.map((one) => one.items) };
}

describe('settlements', () => {
  test('of one turn go together, and what comes meanwhile goes with the next request', async () => {
    const { line, asked, items } = newLine();
    const ends = [line.settle(1), line.settle(0)];
    await nextTurn();
    ends.push(line.settle(2), line.settle(3));
    await nextTurn();
    expect(items()).toEqual([[1, 0]]);
    asked[0]?.answer();
    await nextTurn();
    expect(items()).toEqual([
      [1, 0],
      [2, 3],
    ]);
    asked[1]?.answer();
    expect(await Promise.all(ends)).toEqual([true, false, true, true]);
  });

  test('are in as many requests at a time as the driver takes', async () => {
    const { line, asked, items } = newLine(2);
    const ends: Promise<boolean>[] = [];
    for (const item of [1, 2, 3, 4]) {
      ends.push(line.settle(item));
      await nextTurn();
    }
    expect(items()).toEqual([[1], [2]]);
    // Not that of the first: each has an answer of its own.
    asked[1]?.answer();
    expect(await ends[1]).toBe(true);
    await nextTurn();
    expect(items()).toEqual([[1], [2], [3, 4]]);
    asked[0]?.answer();
    asked[2]?.answer();
    expect(await Promise.all(ends)).toEqual([true, true, true, true]);
  });

  test('are split into requests of 500, which go at once where the driver takes them', async () => {
    const { line, asked, items } = newLine(Infinity);
    const ends = Array.from({ length: 1001 }, () => line.settle(1));
    await nextTurn();
    expect(items().map(({ length }) => length)).toEqual([500, 500, 1]);
    for (const { answer } of asked) answer();
    expect(new Set(await Promise.all(ends))).toEqual(new Set([true]));
  });

  test('are all waited for by who waits until the line is idle', async () => {
    const { line, asked } = newLine(2);
    expect(await line.idle()).toBeUndefined();
    const ends = [line.settle(1)];
    await nextTurn();
    ends.push(line.settle(2));
    await nextTurn();
    const idle = line.idle().then(() => 'idle');
    asked[0]?.answer();
    await ends[0];
    await nextTurn();
    expect(await Promise.race([idle, Promise.resolve('busy')])).toBe('busy');
    asked[1]?.answer();
    expect(await idle).toBe('idle');
  });

  test('that were not sent when the line is closed keep nobody waiting', async () => {
    const { line, items } = newLine();
    const end = line.settle(1);
    const idle = line.idle();
    line.close();
    await expect(end).rejects.toMatchObject({ code: 'NQ_CLOSED' });
    expect(await idle).toBeUndefined();
    expect(items()).toEqual([]);
  });

  test('fail one by one where the driver says so', async () => {
    const failure = new Error('this one');
    const line = new SettleLine<number>(memoryDriver(), 'nack', async () => [true, failure, false]);
    const [one, other, last] = await Promise.allSettled([1, 2, 3].map((item) => line.settle(item)));
    expect([one, last]).toMatchObject([{ value: true }, { value: false }]);
    expect(other).toMatchObject({ reason: { code: 'NQ_BACKEND', cause: failure } });
  });

  test('that are under way when the line is closed have an outcome that nobody knows, and the others were not sent', async () => {
    const { line } = newLine(2);
    const ends: Promise<boolean>[] = [];
    for (const item of [1, 2, 3]) {
      ends.push(line.settle(item));
      await nextTurn();
    }
    line.close();
    const codes = (await Promise.allSettled(ends)).map((end) => (end.status === 'rejected' ? end.reason.code : end));
    expect(codes).toEqual(['NQ_OUTCOME_UNKNOWN', 'NQ_OUTCOME_UNKNOWN', 'NQ_CLOSED']);
  });
});
