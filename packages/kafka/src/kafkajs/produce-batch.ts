import { KafkaFailure } from '../kafka-failure.ts';
import { WireWriter } from '../wire-writer.ts';
import { adapted, type Broker, type ProduceAnswer, refuseBefore } from './internals.ts';
import { WrittenRequest } from './written-request.ts';

/** A batch of records for a partition. */
export interface ProducedBatch {
  readonly topic: string;
  readonly partition: number;
  /** As the broker stores it. */
  readonly batch: Buffer;
  /** How many bytes of its memory are free in front of it: with {@link roomInFront}, it is not copied. @default 0 */
  readonly roomBefore?: number;
  /** How long the broker may wait for its replicas, in milliseconds. */
  readonly timeoutMs: number;
}

/** What {@link writeRequest} writes besides the topic, and what kafkajs writes in front of that besides the id of the client. */
const headBytes = 26;
const frontBytes = 14;
/** The longest id of a client there is room for: with a longer one, kafkajs copies the request. */
const longestClientId = 200;

/** How much of a request stands in front of its batch, in bytes, at the most. */
export function roomInFront(topic: string): number {
  return frontBytes + longestClientId + headBytes + Buffer.byteLength(topic);
}

/** The first version of the request that takes records in the format of today. */
const firstProduce = 3;

/** Stores a batch that is written already: kafkajs would write it itself, which takes most of the time of a push. */
export async function produceBatch(broker: Broker, produced: ProducedBatch): Promise<ProduceAnswer> {
  const request = encodeRequest(produced);
  return adapted(broker, (protocol) => {
    refuseBefore(firstProduce, protocol);
    return { ...protocol, request: { ...protocol.request, encode: async () => request } };
  }).produce({ topicData: [] });
}

/** @throws {KafkaFailure} `other` if it cannot be written: nothing was sent then. */
function encodeRequest(produced: ProducedBatch): WrittenRequest {
  try {
    return writeRequest(produced);
  } catch (error) {
    throw new KafkaFailure('other', 'the request cannot be written', error);
  }
}

/** From version 3 to 7. */
function writeRequest({ topic, partition, batch, roomBefore = 0, timeoutMs }: ProducedBatch): WrittenRequest {
  const room = roomInFront(topic);
  const writer = new WireWriter(room);
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
  const request = new WrittenRequest(roomBefore >= room ? batch : moved(batch, room), room);
  if (!request.prepend(writer.bytes)) throw new RangeError('there is no room for the head');
  return request;
}

/** A copy with so much room in front of it. */
function moved(bytes: Buffer, room: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(room + bytes.length);
  bytes.copy(whole, room);
  return whole.subarray(room);
}
