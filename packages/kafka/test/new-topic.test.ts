import { kafkaOffer } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { WireWriter } from '../src/wire-writer.ts';
import { newTopic, openQueue, takeAll } from './support/queue.ts';
import { names, useWatchedKafka } from './support/watched-kafka.ts';

const offer = await kafkaOffer();
const [produce, listOffsets] = [0, 2];
const createTopic = { partitions: 1, replicationFactor: 1 };
const unknownTopic = 3;

describe.skipIf(offer.missing !== undefined || !offer.ours)(
  `a topic that was only just made, on ${offer.name},`,
  () => {
    const watched = useWatchedKafka(offer);

    /** Answers as a broker does that has not heard of `topic` yet, where others have, the first two times that it is asked for `api`. */
    const hearsLateOf = (topic: string, api: number, answer: Buffer): { readonly asked: () => number } => {
      let count = 0;
      watched().fate = (asked) => (asked.api === api && names(asked, topic) && ++count <= 2 ? { answer } : undefined);
      return { asked: () => count };
    };

    test('is not taken for missing while a queue is opened on it', async () => {
      const topic = newTopic();
      const { asked } = hearsLateOf(topic, listOffsets, rangesOfUnknown(topic));
      await using queue = await openQueue(watched().server, { topic, createTopic });
      // Whoever asks from now on has an answer.
      expect(await queue.size()).toMatchObject({ ready: 0 });
      expect(asked()).toBeGreaterThan(2);
    });

    test('is not taken for missing by a push', async () => {
      const topic = newTopic();
      await using queue = await openQueue(watched().server, { topic, createTopic });
      const { asked } = hearsLateOf(topic, produce, storedInUnknown(topic));
      await queue.push({ type: 'event' });
      expect(asked()).toBe(3);
      expect(await takeAll(queue, 1)).toEqual(['event']);
    });
  },
);

/** An answer to ListOffsets, versions 2 and 3. */
function rangesOfUnknown(topic: string): Buffer {
  const writer = new WireWriter(100);
  // For how long to be quiet.
  writer.int32(0);
  partitionOfUnknown(writer, topic);
  // No time, and no offset.
  writer.raw(Buffer.alloc(16, 0xff));
  return writer.bytes;
}

/** An answer to Produce, versions 5 to 7. */
function storedInUnknown(topic: string): Buffer {
  const writer = new WireWriter(100);
  partitionOfUnknown(writer, topic);
  // No offset, no time, and no begin of the partition.
  writer.raw(Buffer.alloc(24, 0xff));
  writer.int32(0);
  return writer.bytes;
}

function partitionOfUnknown(writer: WireWriter, topic: string): void {
  writer.int32(1);
  writer.string(topic);
  writer.int32(1);
  writer.int32(0);
  writer.int16(unknownTopic);
}
