import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { virtualClock } from '@nq/core/testing';
import { expect, test } from 'vitest';
import { Arrivals } from '../src/arrivals.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('when an event came is remembered without remembering every arrival after it', async () => {
  const clock = virtualClock();
  const arrivals = new Arrivals(clock);
  const arrive = async (number: number) => {
    await clock.advance(10);
    arrivals.note(number);
    return new WeakRef(arrivals.of(number));
  };
  await arrive(0);
  const held = arrivals.of(0);
  const later = [await arrive(1), await arrive(2), await arrive(3)];
  await arrive(4);
  await clock.settle();
  collect();
  expect(held).toBeDefined();
  expect(later.map((one) => one.deref())).toEqual([undefined, undefined, undefined]);
});

test('events that come within a millisecond share a time, on whatever moment the clock counts from', async () => {
  for (const origin of [0, -1e6, 1e6]) {
    const clock = virtualClock();
    const arrivals = new Arrivals({ ...clock, now: () => clock.now() + origin });
    const times: number[] = [];
    for (let number = 0; number < 4; number++) {
      await clock.advance(0.5);
      arrivals.note(number);
      times.push(arrivals.of(number).time - origin);
    }
    expect(times).toEqual([0.5, 0.5, 1.5, 1.5]);
  }
});
