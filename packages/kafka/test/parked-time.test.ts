import { virtualClock } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import type { IncomingRecord } from '../src/kafka-driver.ts';
import { RetryTopic } from '../src/retry-topic.ts';
import type { TopicProducer } from '../src/topic-producer.ts';

const time = 1_800_000_000_000;

/** A retry topic on a broker that says what time it is there; `undefined` if it does not. */
function newRetryTopic(told: number | undefined) {
  const clock = virtualClock();
  const producer = { push: () => Promise.resolve(told) } as unknown as TopicProducer;
  const retries = new RetryTopic({ producer, clock, group: 'tests', afterMs: 1 });
  const ageAt = (at: number, isBrokerTime = true): number =>
    retries.ageOf({ time: at, isBrokerTime } as unknown as IncomingRecord);
  return { retries, ageAt, clock };
}

describe('how long a record has been in a retry topic', () => {
  test('is told by the clock of the broker that was asked, also where another one is an hour ahead', async () => {
    const { retries, ageAt } = newRetryTopic(time);
    await retries.learnTime(0);
    expect(ageAt(time - 1000)).toBe(1000);
    expect(ageAt(time + 3_600_000)).toBe(0);
    expect(ageAt(time - 1000)).toBe(1000);
  });

  test('is never told to be longer than it is where nobody says what time it is', async () => {
    const { retries, ageAt } = newRetryTopic(undefined);
    await retries.learnTime(0);
    expect(ageAt(time)).toBe(0);
    expect(ageAt(time - 1000)).toBe(1000);
  });

  test('goes by our own clock where records have the time of who has written them', () => {
    const { ageAt, clock } = newRetryTopic(undefined);
    expect(ageAt(clock.date() - 5000, false)).toBe(5000);
    expect(ageAt(clock.date() + 5000, false)).toBe(0);
  });
});
