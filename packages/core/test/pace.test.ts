import { describe, expect, test } from 'vitest';
import { createQueue } from '../src/index.ts';
import { Pace } from '../src/pace.ts';
import { SettleLine } from '../src/settle-line.ts';
import { memoryDriver } from '../src/testing.ts';

/** Whether a timer gets its turn while `round` runs again and again without a pause. */
async function letsTimersIn(round: () => Promise<unknown>): Promise<boolean> {
  const timer = { fired: false };
  setTimeout(() => (timer.fired = true), 1);
  const end = performance.now() + 2000;
  while (!timer.fired && performance.now() < end) await round();
  return timer.fired;
}

const event = { type: 't' };

describe('a queue on a driver that answers without I/O lets timers in', () => {
  test('while events are pushed, popped and acknowledged without a pause', async () => {
    const queue = createQueue(memoryDriver());
    const travel = async () => {
      await queue.push(event);
      await (await queue.pop())?.ack();
    };
    expect(await letsTimersIn(travel)).toBe(true);
  });

  test('while events are pushed', async () => {
    const queue = createQueue(memoryDriver({ capacity: Infinity }));
    expect(await letsTimersIn(() => queue.push(event))).toBe(true);
  });

  test('while nothing is there to be popped', async () => {
    const queue = createQueue(memoryDriver());
    expect(await letsTimersIn(() => queue.pop({ timeoutMs: 0 }))).toBe(true);
  });

  test('while one delivery is settled after the other, also if the next is there before the answer', async () => {
    const line = new SettleLine<number>(memoryDriver(), 'ack', async (items) => items.map(() => true));
    expect(await letsTimersIn(() => line.settle(1))).toBe(true);
    const twice = () => Promise.race([line.settle(1), line.settle(2).then(() => line.settle(3))]);
    expect(await letsTimersIn(twice)).toBe(true);
  });
});

describe('a Pace', () => {
  test.for([
    [1, 64],
    [500, 8],
  ] as const)(
    'goes on at the next tick until a turn has carried requests of %d, %d of them',
    async ([events, count]) => {
      const pace = new Pace();
      const seen: string[] = [];
      for (let request = 0; request < count; request++) {
        pace.soon(() => seen.push('tick'));
        pace.count(events);
      }
      pace.soon(() => seen.push('turn'));
      pace.soon(() => seen.push('tick'));
      await new Promise<void>((resolve) => process.nextTick(resolve));
      expect(seen).toEqual(Array.from({ length: count + 1 }, () => 'tick'));
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen.at(-1)).toBe('turn');
    },
  );
});
