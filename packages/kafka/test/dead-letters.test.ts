import { systemClock } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeadLetterTopic, type DeadLetterTopicParts } from '../src/dead-letter-topic.ts';
import type { HeldRecord } from '../src/held-partition.ts';
import type { IncomingRecord, KafkaDriver } from '../src/kafka-driver.ts';
import { letterOf } from '../src/letter.ts';
import { newTopic, openQueue, take } from './support/queue.ts';

const offer = await kafkaOffer();

// A broker that is not ours keeps its topics as they are.
describe.skipIf(offer.missing !== undefined || !offer.ours)(`dead letters on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  test('are listed with their reason, in the order in which they died, and removed one by one', async () => {
    await using queue = await openQueue(server);
    for (const id of ['a', 'b', 'c']) {
      await queue.push({ id, type: 't', key: 'k', data: { id }, headers: { trace: id } });
      await (await take(queue)).nack({ deadLetter: true, reason: `${id} is wrong` });
    }
    expect(await queue.deadLetters.count()).toBe(3);
    const letters = await queue.deadLetters.list({ limit: 2 });
    expect(letters).toMatchObject([
      { event: { id: 'a', key: 'k', data: { id: 'a' }, headers: { trace: 'a' } }, attempts: 1, reason: 'a is wrong' },
      { event: { id: 'b' }, reason: 'b is wrong' },
    ]);
    expect(await queue.deadLetters.remove(['a', 'c', 'd'])).toBe(2);
    expect((await queue.deadLetters.list()).map(({ event }) => event.id)).toEqual(['b']);
    expect(await queue.pop({ timeoutMs: 300 })).toBeUndefined();
  });

  test('are replayed as if they were new', async () => {
    await using queue = await openQueue(server);
    await queue.push({ id: 'a', type: 't', key: 'k', data: 1 });
    await (await take(queue)).nack();
    await (await take(queue)).nack({ deadLetter: true });
    expect(await queue.deadLetters.replay()).toBe(1);
    const again = await take(queue);
    expect(again).toMatchObject({ attempt: 1, event: { id: 'a', key: 'k', data: 1 } });
    await again.ack();
    expect(await queue.deadLetters.count()).toBe(0);
  });

  test('are made of what is no event, bytes and all, and what is behind it goes on', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    const kafka = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ createPartitioner: () => () => 0 });
    await producer.connect();
    const rubbish = Buffer.from([0xff, 0x00, 0x7b]);
    await producer.send({ topic, messages: [{ value: rubbish }, { value: '{"type":"after"}' }] });
    await producer.disconnect();
    const delivery = await take(queue);
    expect(delivery.event.type).toBe('after');
    await delivery.ack();
    await until('the letter', async () => (await queue.deadLetters.count()) === 1);
    const [letter] = await queue.deadLetters.list();
    expect(letter).toMatchObject({ attempts: 1, event: { type: 'nq.undecodable', data: new Uint8Array(rubbish) } });
    expect(await queue.deadLetters.remove([letter?.event.id ?? ''])).toBe(1);
  });

  test.each([
    ['groups', newTopic(), ['one', 'other'], ['event', 'event']],
    ['topics', undefined, ['tests', 'tests'], ['event', 'other event']],
  ] as const)('of several %s may be in one topic, and each has its own', async (_what, topic, groups, ids) => {
    const deadLetterTopic = newTopic();
    const options = groups.map((groupId) => ({ groupId, deadLetterTopic, topic: topic ?? newTopic() }));
    await using one = await openQueue(server, options[0]);
    await using other = await openQueue(server, options[1]);
    await one.push({ id: ids[0], type: 't' });
    if (ids[0] !== ids[1]) await other.push({ id: ids[1], type: 't' });
    for (const queue of [one, other]) {
      await (await take(queue)).nack({ deadLetter: true, reason: queue === one ? 'one' : 'other' });
    }
    const listed = async (queue: typeof one) =>
      (await queue.deadLetters.list()).map(({ event, reason }) => [event.id, reason]);
    expect([await listed(one), await listed(other)]).toEqual([[[ids[0], 'one']], [[ids[1], 'other']]]);
    expect(await one.deadLetters.remove()).toBe(1);
    expect([await one.deadLetters.count(), await other.deadLetters.count()]).toEqual([0, 1]);
    expect(await other.deadLetters.replay()).toBe(1);
    expect((await take(other)).event.id).toBe(ids[1]);
  });

  test('need the topic that is named for them', async () => {
    const topic = newTopic();
    await (await openQueue(server, { topic })).close();
    const opening = openQueue(server, { topic, createTopic: undefined, deadLetterTopic: 'nowhere' });
    await expect(opening).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: expect.stringContaining('there is no topic "nowhere"; make it with'),
    });
  });

  test('are replayed once by two who do it at the same time', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    await using other = await openQueue(server, { topic });
    await queue.pushMany(Array.from({ length: 5 }, (_, index) => ({ type: `t${index}` })));
    for (let count = 0; count < 5; count++) await (await take(queue)).nack({ deadLetter: true });
    const counts = await Promise.all([queue.deadLetters.replay(), other.deadLetters.replay()]);
    expect(counts.toSorted()).toEqual([0, 5]);
  });
});

test('dead letters are read to their end, also where the broker gives nothing at first', async () => {
  const letter = (id: number): IncomingRecord => {
    const origin = {
      partition: { topic: 't', partition: 0 },
      record: { offset: id, key: null, value: null, headers: {} },
    };
    const written = letterOf(origin as unknown as HeldRecord, 'g', { reason: 'why', attempts: 1, deadAt: 0 });
    return { ...written, offset: id, time: 0, isBrokerTime: false, bytes: 1, headers: { ...written.headers } };
  };
  const answers = [
    { records: [letter(0)], end: 1 },
    { records: [], end: 1 },
    { records: [letter(1)], end: 2 },
  ];
  const driver = {
    ranges: async () => [{ partition: 0, low: 0, high: 2 }],
    read: async () => answers.shift(),
  } as unknown as KafkaDriver;
  const options = { topic: 't', group: 'g', deliveryTimeoutMs: 10_000 } as DeadLetterTopicParts['options'];
  const letters = new DeadLetterTopic({
    driver,
    clock: systemClock,
    deadTopic: 'd',
    options,
    pushAgain: async () => {},
  });
  expect(await letters.count()).toBe(2);
});
