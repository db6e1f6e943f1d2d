import { KafkaFailure } from '../kafka-failure.ts';
import { WireWriter } from '../wire-writer.ts';
import { adapted, type Broker, type ProduceAnswer, refuseBefore } from './internals.ts';

/** A batch of records for a partition. */
export interface ProducedBatch {
  readonly topic: string;
  readonly partition: number;
  /** As the broker stores it. */
  readonly batch: Buffer;
  /** How long the broker may wait for its replicas, in milliseconds. */
  readonly timeoutMs: number;
}

/** The first version of the request that takes records in the format of today. */
const firstProduce = 3;

/** Stores a batch that is written already: kafkajs would write it itself, which takes most of the time of a push. */
export async function produceBatch(broker: Broker, produced: ProducedBatch): Promise<ProduceAnswer> {
  const buffer = encodeRequest(produced);
  return adapted(broker, (protocol) => {
    refuseBefore(firstProduce, protocol);
    // Of what encodes, kafkajs takes these two.
    return { ...protocol, request: { ...protocol.request, encode: async () => ({ buf: buffer, buffer }) } };
  }).produce({ topicData: [] });
}

/** @throws {KafkaFailure} `other` if it cannot be written: nothing was sent then. */
function encodeRequest(produced: ProducedBatch): Buffer {
  try {
    return writeRequest(produced);
  } catch (error) {
    throw new KafkaFailure('other', 'the request cannot be written', error);
  }
}

/** From version 3 to 7. */
function writeRequest({ topic, partition, batch, timeoutMs }: ProducedBatch): Buffer {
  const writer = new WireWriter(batch.length + 3 * topic.length + 32);
  const transactionalId = null;
  const allReplicas = -1;
  writer.string(transactionalId);
  writer.int16(allReplicas);
  writer.int32(timeoutMs);
  writer.int32(1);
  writer.string(topic);
  writer.int32(1);
  writer.int32(partition);
  writer.int32(batch.length);
  writer.raw(batch);
  return writer.bytes;
}
