import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { kafkaReader } from '../src/index.ts';
import { newTopic, openQueue } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';
import { type Fate, names, useWatchedKafka } from './support/watched-kafka.ts';

const offer = await kafkaOffer();
const produce = 0;
const createTopic = { partitions: 1, replicationFactor: 1 };
/** Long enough for a second try, and no longer. */
const soon = { requestTimeoutMs: 1000, deliveryTimeoutMs: 3000 };
/** An answer that speaks of no topic, and of no pause that is to be made. */
const ofNothing = Buffer.alloc(8);

describe.skipIf(offer.missing !== undefined || !offer.ours)(`what is pushed to ${offer.name}`, () => {
  const watched = useWatchedKafka(offer);

  /** What becomes of records that are written to `topic`. */
  const writesTo = (topic: string, fate: Fate): void => {
    watched().fate = (asked) => (asked.api === produce && names(asked, topic) ? fate : undefined);
  };

  const storedIn = async (topic: string): Promise<readonly (string | undefined)[]> => {
    const types: (string | undefined)[] = [];
    for await (const { event } of kafkaReader({ brokers: watched().server.brokers, topic })) types.push(event?.type);
    return types;
  };

  test('is not said to be stored by an answer that leaves it out, which kafkajs itself takes for success', async () => {
    const topic = newTopic();
    await using queue = await openQueue(watched().server, { topic, createTopic, ...soon });
    const producer = new Kafka({ brokers: [...watched().server.brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    writesTo(topic, { answer: ofNothing });
    // Nothing is told of the message, and it is nowhere (kafkajs #1303).
    expect(await producer.send({ topic, messages: [{ value: '{"type":"lost"}' }] })).toEqual([]);
    const { told } = await refusalOf(() => queue.push({ type: 'refused' }));
    expect(told).toBe('NQ_OUTCOME_UNKNOWN Cannot push: Kafka has not answered in time; it may be stored');
    watched().fate = () => undefined;
    await queue.push({ type: 'stored' });
    await producer.disconnect();
    expect(await storedIn(topic)).toEqual(['stored']);
  });

  test('after something of which nobody knew is stored besides it', async () => {
    const topic = newTopic();
    await using queue = await openQueue(watched().server, { topic, createTopic, ...soon });
    writesTo(topic, 'answerIsLost');
    await expect(queue.push({ type: 'unknown' })).rejects.toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
    watched().fate = () => undefined;
    // With the numbers of that one, the broker would take it for the same, and say that it is stored.
    await queue.push({ type: 'next' });
    expect(await storedIn(topic)).toEqual(['unknown', 'next']);
  });
});
