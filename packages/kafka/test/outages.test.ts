import type { MessageQueue } from '@nq/core';
import { describe, expect, test } from 'vitest';
import type { ProduceRequest } from '../src/kafka-driver.ts';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { PartitionProducer } from '../src/partition-producer.ts';
import { RecordLine } from '../src/record-line.ts';
import { type FakeKafka, fakeKafka, openFakeQueue } from './support/fake-kafka.ts';

const away = (): Promise<never> => Promise.reject(new KafkaFailure('away', 'no broker leads the partition'));

/** What has become of each, as far as it has: `stored`, or the code that it was rejected with, and when. */
function ends({ clock }: FakeKafka) {
  const told: Record<string, readonly [end: string, seconds: number]> = {};
  const watch = (name: string, pushed: Promise<unknown>): void => {
    const note = (end: string): void => {
      told[name] = [end, Math.round(clock.now() / 1000)];
    };
    pushed.then(
      () => note('stored'),
      (error: unknown) => note(String((error as { readonly code?: unknown }).code)),
    );
  };
  return { told, watch };
}

/** Rejects, in so many milliseconds, that there is no way to the broker. */
const awayIn =
  ({ clock }: FakeKafka, ms: number) =>
  (): Promise<never> =>
    new Promise((_resolve, reject) => {
      clock.schedule(() => reject(new KafkaFailure('away', 'the broker does not answer')), ms);
    });

/** What is pushed into one partition of it. */
function producerOn({ clock, driver }: FakeKafka, deliveryTimeoutMs: number): PartitionProducer {
  return new PartitionProducer({
    driver,
    clock,
    topic: 'events',
    partition: 0,
    compression: 'none',
    deliveryTimeoutMs,
  });
}

describe('what is pushed while no broker leads its partition', () => {
  test('is given up when its own time is over, also if it was sent behind others, and is not stored later', async () => {
    const fake = fakeKafka();
    const queue = openFakeQueue(fake, 1);
    const { told, watch } = ends(fake);
    fake.produce = away;
    watch('first', queue.push({ type: 'first' }));
    await fake.clock.advance(1000);
    watch('second', queue.push({ type: 'second' }));
    await fake.clock.advance(32_000);
    expect(told).toEqual({ first: ['NQ_UNAVAILABLE', 30], second: ['NQ_UNAVAILABLE', 31] });
    fake.produce = async () => {};
    await fake.clock.advance(60_000);
    expect(fake.stored).toEqual([]);
  });

  test('is stored when there is a leader in its time, also if others that it was sent with had less', async () => {
    const fake = fakeKafka();
    const queue = openFakeQueue(fake, 1);
    const { told, watch } = ends(fake);
    fake.produce = away;
    for (const [name, seconds] of Object.entries({ first: 9, second: 9, third: 20 })) {
      watch(name, queue.push({ type: name }));
      await fake.clock.advance(1000 * seconds);
    }
    expect(told).toEqual({ first: ['NQ_UNAVAILABLE', 30] });
    await fake.clock.advance(2000);
    expect(told).toEqual({ first: ['NQ_UNAVAILABLE', 30], second: ['NQ_UNAVAILABLE', 39] });
    fake.produce = async () => {};
    await fake.clock.advance(1000);
    expect(told).toMatchObject({ third: ['stored', 40] });
    expect(fake.stored).toHaveLength(1);
  });

  test('is tried as long as the last that it was sent with, once it may be stored', async () => {
    const fake = fakeKafka();
    const queue = openFakeQueue(fake, 1);
    const { told, watch } = ends(fake);
    fake.produce = away;
    for (const [name, seconds] of Object.entries({ first: 1, second: 19, third: 9 })) {
      watch(name, queue.push({ type: name }));
      await fake.clock.advance(1000 * seconds);
    }
    fake.produce = () => Promise.reject(new KafkaFailure('unsure', 'the broker does not answer'));
    await fake.clock.advance(10_000);
    expect(told).toEqual({ first: ['NQ_OUTCOME_UNKNOWN', 30], second: ['NQ_OUTCOME_UNKNOWN', 32] });
    fake.produce = async () => {};
    await fake.clock.advance(1000);
    expect(told['third']?.[0]).toBe('stored');
    expect(fake.stored).toHaveLength(2);
  });

  test('is tried once at least, however long it has waited', async () => {
    const fake = fakeKafka();
    const producer = producerOn(fake, 1000);
    await producer.push([{ key: null, value: Buffer.from('late'), headers: {} }], fake.clock.now() - 1);
    expect(fake.stored).toEqual(['0:late']);
  });

  test('and has a limit of its own is told the truth when that is over, which it is by what was sent', async () => {
    const fake = fakeKafka();
    const queue = openFakeQueue(fake, 1);
    const { told, watch } = ends(fake);
    fake.produce = away;
    watch('sent', queue.push({ type: 'sent' }, { timeoutMs: 5000 }));
    await fake.clock.advance(1000);
    watch('waiting', queue.push({ type: 'waiting' }, { timeoutMs: 5000 }));
    await fake.clock.advance(10_000);
    // It is under way for as long as the others are: it may be stored yet.
    expect(told).toEqual({ sent: ['NQ_OUTCOME_UNKNOWN', 6], waiting: ['NQ_UNAVAILABLE', 6] });
    fake.produce = async () => {};
    await fake.clock.advance(60_000);
    expect(fake.stored).toHaveLength(1);
  });

  test('one by one is given up together, however many requests it would take', async () => {
    const fake = fakeKafka();
    const line = new RecordLine(producerOn(fake, 30_000));
    const { told, watch } = ends(fake);
    fake.produce = awayIn(fake, 5000);
    const record = { key: null, value: Buffer.from('parked'), headers: {} };
    for (let count = 0; count < 2000; count++)
      watch(
        String(count),
        line.add(record, () => true),
      );
    await fake.clock.advance(1000);
    watch(
      'later',
      line.add(record, () => true),
    );
    await fake.clock.advance(36_000);
    const codes = new Set(Object.values(told).map(([code]) => code));
    expect([Object.keys(told).length, codes]).toEqual([2001, new Set(['NQ_UNAVAILABLE'])]);
    expect(told['1999']?.[1]).toBeLessThanOrEqual(35);
    expect(fake.stored).toEqual([]);
  });
});

describe('what has no key', () => {
  /** Pushes one after the other, each when the one before has had its second. @returns the partitions of what is stored. */
  const partitionsOf = async (fake: FakeKafka, queue: MessageQueue, count: number): Promise<readonly string[]> => {
    const before = fake.stored.length;
    for (let index = 0; index < count; index++) {
      void queue.push({ type: String(index) }).catch(() => {});
      await fake.clock.advance(1001);
    }
    return fake.stored.slice(before).map((text) => text.slice(0, 1));
  };
  const isOfFirst = ({ partition }: ProduceRequest): boolean => partition === 0;

  test('goes past a partition that has no leader, and to it again when it has one', async () => {
    const fake = fakeKafka();
    fake.produce = async (request) => {
      if (isOfFirst(request)) await away();
    };
    const queue = openFakeQueue(fake, 3);
    const during = await partitionsOf(fake, queue, 20);
    // But for the one by which it is found out.
    expect([during.length, during.includes('0')]).toEqual([19, false]);
    fake.produce = async () => {};
    await fake.clock.advance(1000);
    expect(new Set(await partitionsOf(fake, queue, 6))).toEqual(new Set(['0', '1', '2']));
  });

  test('goes past a partition whose broker has not answered for a second', async () => {
    const fake = fakeKafka();
    fake.produce = async (request) => {
      if (isOfFirst(request)) await new Promise(() => {});
    };
    const during = await partitionsOf(fake, openFakeQueue(fake, 3), 20);
    expect([during.length, during.includes('0')]).toEqual([19, false]);
  });

  test('goes somewhere if no partition has a leader', async () => {
    const fake = fakeKafka();
    fake.produce = away;
    expect(await partitionsOf(fake, openFakeQueue(fake, 3), 10)).toEqual([]);
    fake.produce = async () => {};
    await fake.clock.advance(1000);
    expect(fake.stored).toHaveLength(10);
  });
});
