import { fork } from 'node:child_process';
import { once } from 'node:events';
import { CompressionTypes, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compressions } from '../src/codecs/load-codec.ts';
import { newTopic, openQueue, take, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();

const program = new URL('support/pop-without-snappyjs.ts', import.meta.url);
const missing = 'compression with snappy needs a package that is not here. Run: npm install snappyjs';

/** What a process says that opens such a queue and pops, and has no snappyjs. */
async function popWithoutSnappyjs(options: object): Promise<unknown> {
  const child = fork(program, [JSON.stringify(options)], { execArgv: ['--conditions=@nq/source'] });
  const [answer] = (await once(child, 'message')) as [unknown];
  return answer;
}

test('a queue that is to compress with snappy says what to install where its package is not here', async () => {
  expect(await popWithoutSnappyjs({ topic: 't', groupId: 'g', compression: 'snappy' })).toEqual({
    code: 'NQ_NOT_INSTALLED',
    message: `Cannot open a Kafka queue: ${missing}`,
  });
});

// A broker that is not ours keeps its topics as they are.
describe.skipIf(offer.missing !== undefined || !offer.ours)(`compression on ${offer.name}`, () => {
  let server: TestKafka;
  let kafka: Kafka;
  beforeAll(async () => {
    server = await offer.start({});
    kafka = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });
  });
  afterAll(() => server?.stop());

  const types = Array.from({ length: 200 }, (_, index) => `event-${index}`);
  const events = types.map((type) => ({ type, data: { text: 'schön '.repeat(50), type }, headers: { Trace: 'ü' } }));
  const createTopic = { partitions: 1, replicationFactor: 1 };

  test.each(compressions)('with %s is read as it was pushed', async (compression) => {
    await using queue = await openQueue(server, { createTopic, compression });
    await queue.pushMany(events);
    const first = await take(queue);
    expect(first.event).toMatchObject(events[0] as object);
    await first.ack();
    expect(await takeAll(queue, types.length - 1)).toEqual(types.slice(1));
  });

  test.each(['none', 'gzip'] as const)('with %s is read by a consumer of kafkajs', async (compression) => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic, createTopic, compression });
    await queue.pushMany(events);
    const consumer = kafka.consumer({ groupId: topic });
    const messages: KafkaMessage[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
    await until('all to be read', () => messages.length === events.length);
    await consumer.disconnect();
    expect(messages.map(({ headers }) => String(headers?.['ce_type']))).toEqual(types);
  });

  test('with gzip by a producer of kafkajs is read', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic, createTopic });
    const producer = kafka.producer({ allowAutoTopicCreation: false, createPartitioner: () => () => 0 });
    await producer.connect();
    const messages = types.map((type) => ({ value: JSON.stringify({ type, text: 'schön' }) }));
    await producer.send({ topic, messages, compression: CompressionTypes.GZIP });
    await producer.disconnect();
    expect(await takeAll(queue, types.length)).toEqual(types);
  });

  test('that makes an answer much larger than it looks is read, all of it', async () => {
    const topic = newTopic();
    // Reading it may keep a busy machine from its heartbeats for longer than the session of the other tests.
    const options = { topic, createTopic: { partitions: 2, replicationFactor: 1 }, sessionTimeoutMs: 30_000 };
    await using queue = await openQueue(server, options);
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    const large = 'x'.repeat(1_000_000);
    const sent: string[] = [];
    // Each unpacks to more than what is enough of one answer, which takes all of them.
    for (const partition of [0, 1, 0, 1]) {
      const messages = Array.from({ length: 70 }, (_, index) => {
        const type = `event-${sent.length + index}`;
        return { partition, value: JSON.stringify({ type, large }) };
      });
      await producer.send({ topic, messages, compression: CompressionTypes.GZIP });
      sent.push(...messages.map((_, index) => `event-${sent.length + index}`));
    }
    await producer.disconnect();
    expect((await takeAll(queue, sent.length)).toSorted()).toEqual(sent.toSorted());
  });

  // The broker unpacks what it gets and packs it as Java does: Snappy in frames, LZ4 in blocks of 64 KB.
  test.each(['gzip', 'snappy', 'lz4', 'zstd'])('with %s by the broker is read', async (type) => {
    const topic = newTopic();
    const admin = kafka.admin();
    await admin.connect();
    const configEntries = [{ name: 'compression.type', value: type }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] });
    await admin.disconnect();
    await using queue = await openQueue(server, { topic, createTopic });
    const large = { type: 'large', data: Array.from({ length: 40_000 }, (_, index) => `${index}`) };
    await queue.pushMany([...events, large]);
    expect(await takeAll(queue, types.length)).toEqual(types);
    const last = await take(queue);
    expect(last.event.data).toEqual(large.data);
    await last.ack();
  });

  test('with snappy is told to who pops where its package is not here, and kept', async () => {
    const topic = newTopic();
    const queue = await openQueue(server, { topic, createTopic, compression: 'snappy' });
    await queue.pushMany(events);
    await queue.close();
    expect(await popWithoutSnappyjs({ brokers: server.brokers, topic, groupId: 'tests' })).toEqual({
      code: 'NQ_NOT_INSTALLED',
      message: `Cannot pop: ${missing}`,
    });
    await using again = await openQueue(server, { topic, createTopic });
    expect(await takeAll(again, types.length)).toEqual(types);
  });
});
