import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafkaReader, type KafkaReaderOptions } from '../src/index.ts';
import { newTopic, openQueue, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();
const onePartition = { createTopic: { partitions: 1, replicationFactor: 1 } };

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a reader on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const readAll = async (options: Omit<KafkaReaderOptions, 'brokers'>): Promise<string[]> => {
    const types: string[] = [];
    for await (const { event, flaw } of kafkaReader({ brokers: server.brokers, ...options })) {
      types.push(event?.type ?? `flaw: ${flaw}`);
    }
    return types;
  };

  test('sees what was acknowledged and what was not, and takes nothing from anybody', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic, ...onePartition });
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type, key: type })));
    expect(await takeAll(queue, 2)).toEqual(['a', 'b']);
    expect(await readAll({ topic })).toEqual(['a', 'b', 'c']);
    expect(await takeAll(queue, 1)).toEqual(['c']);
  });

  test('ends where the topic ended when it began, however large it is, and whatever is pushed meanwhile', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    const types = Array.from({ length: 3000 }, (_, index) => `event-${index}`);
    const data = 'x'.repeat(1000);
    await queue.pushMany(types.map((type) => ({ type, key: type, data })));
    const seen: string[] = [];
    for await (const { event } of kafkaReader({ brokers: server.brokers, topic })) {
      if (seen.length === 0) await queue.push({ type: 'later' });
      seen.push(event?.type ?? '');
    }
    expect(seen.toSorted()).toEqual(types.toSorted());
  });

  test('reads from one place to another, by offsets and by time', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic, ...onePartition });
    await queue.pushMany(['a', 'b', 'c', 'd'].map((type) => ({ type })));
    const time = Date.now() + 1;
    while (Date.now() <= time) await queue.size();
    await queue.push({ type: 'e' });
    expect(await readAll({ topic, from: { position: '0:1' }, to: { position: '0:3' } })).toEqual(['b', 'c']);
    expect(await readAll({ topic, from: { time } })).toEqual(['e']);
    expect(await readAll({ topic, to: { time } })).toEqual(['a', 'b', 'c', 'd']);
    expect(await readAll({ topic, from: { position: '0:3' }, to: { position: '0:1' } })).toEqual([]);
  });

  test('shows what is no event, with the reason and its bytes', async () => {
    const topic = newTopic();
    await (await openQueue(server, { topic, ...onePartition })).close();
    const producer = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'rubbish' }, { value: '{"type":"plain"}' }] });
    await producer.disconnect();
    const seen = [];
    for await (const record of kafkaReader({ brokers: server.brokers, topic })) seen.push(record);
    expect(seen).toMatchObject([
      {
        partition: 0,
        offset: 0,
        flaw: 'Cannot read the event: not JSON (in 7 characters)',
        value: Buffer.from('rubbish'),
      },
      { partition: 0, offset: 1, event: { type: 'plain' } },
    ]);
  });

  test('lets go of its connections when the loop ends early', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    await queue.pushMany(['a', 'b'].map((type) => ({ type, key: type })));
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    for await (const { event } of kafkaReader({ brokers: server.brokers, topic })) {
      expect(event).toBeDefined();
      break;
    }
    await expect.poll(sockets, { timeout: 20_000 }).toBeLessThanOrEqual(before);
  });

  test('says what is wrong: an option at once, a topic that is not there when it reads', async () => {
    const brokers = server.brokers;
    expect(() => kafkaReader({ brokers, topic: '' })).toThrow('Cannot read: topic must be 1 to 249 of the characters');
    expect(() => kafkaReader({ brokers, topic: 't', form: 1 } as never)).toThrow('Cannot read: unknown option "form"');
    await expect(readAll({ topic: 'nowhere' })).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: 'Cannot read: there is no topic "nowhere"',
    });
  });
});
