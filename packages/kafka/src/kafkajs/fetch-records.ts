import { KafkaFailure } from '../kafka-failure.ts';
import { type AbortedTransaction, readBatches, type ReadRecords } from '../read-batches.ts';
import { unreadable, WireReader } from '../wire-reader.ts';
import { adapted, type Broker, protocolErrorOf, refuseBefore } from './internals.ts';
import { failureOf } from './kafkajs-failures.ts';

/** What is asked of a broker that leads partitions. */
export interface FetchRequest {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
  /** The most bytes of the answer, and of one partition in it; but always a whole batch, if there is any. */
  readonly maxBytes: number;
  /** How long the broker waits for a record before it answers that there is none, in milliseconds. */
  readonly waitMs: number;
}

/** What the broker has sent of one partition; `failure` says why it cannot be read. */
export interface FetchedPartition extends ReadRecords {
  readonly partition: number;
  /** Whether there was nothing behind it when it was sent. */
  readonly isAll: boolean;
  readonly failure: KafkaFailure | undefined;
}

/** The answer as it comes, with the records still in bytes. */
interface Sent {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly SentPartition[] }[];
}

interface SentPartition {
  readonly partition: number;
  readonly errorCode: number;
  /** The end of what may be read. */
  readonly high: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly bytes: Buffer;
}

/** So many bytes are enough for one answer, unpacked: of what is much larger than it looks, the rest is asked for again. */
const enoughBytes = 64 * 1024 * 1024;

/** The first version of the request that answers with records in the format of today. */
const firstFetch = 4;

/** Fetches records, of which kafkajs decodes none: it checks no checksum, and takes most of the time of a pop. */
export async function fetchRecords(
  broker: Broker,
  { topic, partitions, maxBytes, waitMs }: FetchRequest,
): Promise<readonly FetchedPartition[]> {
  const asked = new Map(partitions.map(({ partition, offset }) => [partition, offset]));
  const sent = (await readingAnswers(broker).fetch({
    // Records of transactions that are not committed are none.
    isolationLevel: 1,
    maxWaitTime: waitMs,
    minBytes: 1,
    maxBytes,
    topics: [
      { topic, partitions: partitions.map(({ partition, offset }) => ({ partition, fetchOffset: offset, maxBytes })) },
    ],
  })) as Sent;
  const own = sent.responses.filter(({ topicName }) => topicName === topic).flatMap((response) => response.partitions);
  const fetched: FetchedPartition[] = [];
  let left = enoughBytes;
  for (const one of own) {
    const from = asked.get(one.partition);
    if (from === undefined || (left <= 0 && one.bytes.length > 0)) continue;
    const refusal = refusalOf(topic, one);
    if (refusal !== undefined) {
      fetched.push(unread(one.partition, refusal));
      continue;
    }
    const read = await readPartition(one, from, left);
    left -= read.bytes;
    fetched.push(read);
  }
  // A broker sends at least one batch as a whole, however large (KIP-74): it would be asked for the same for ever.
  const isStuck = own.some(({ bytes }) => bytes.length > 0) && fetched.every(({ end, failure }) => !(end || failure));
  if (isStuck) throw unreadable('there is no whole record batch');
  return fetched;
}

async function readPartition(
  { partition, high, bytes, aborted }: SentPartition,
  from: number,
  enough: number,
): Promise<FetchedPartition> {
  try {
    const read = await readBatches({ bytes, from, aborted, enoughBytes: enough });
    return { ...read, partition, isAll: (read.end ?? from) >= high, failure: undefined };
  } catch (error) {
    if (!(error instanceof KafkaFailure)) throw error;
    // What is in the other partitions can be read all the same.
    return unread(partition, error);
  }
}

function unread(partition: number, failure: KafkaFailure): FetchedPartition {
  return { partition, isAll: false, records: [], end: undefined, bytes: 0, failure };
}

/**
 * Why one partition is not sent, if that says nothing of the others: its records cannot be read by the broker itself, for
 * example.
 *
 * @throws what kafkajs throws for it, if something is to be done about it: another broker leads it, or the offset is gone.
 */
function refusalOf(topic: string, { partition, errorCode }: SentPartition): KafkaFailure | undefined {
  if (errorCode === 0) return undefined;
  const error = Object.assign(protocolErrorOf(errorCode) as Error, { partition });
  const failure = failureOf(error, false, { topic });
  if (failure.kind !== 'other') throw error;
  return new KafkaFailure('unreadable', `the broker cannot read partition ${partition} itself`, error);
}

function readingAnswers(broker: Broker): Broker {
  return adapted(broker, (protocol) => {
    refuseBefore(firstFetch, protocol);
    const { apiVersion } = protocol.request;
    return {
      ...protocol,
      response: {
        decode: async (bytes) => readAnswer(bytes, apiVersion),
        // kafkajs fails the whole answer for whatever is said of one partition.
        parse: async (answer) => {
          for (const { topicName, partitions } of (answer as Sent).responses)
            for (const sent of partitions) refusalOf(topicName, sent);
          return answer;
        },
      },
    };
  });
}

/** From version 4 to 11. What kafkajs looks at itself has the names that it gives it. */
function readAnswer(bytes: Buffer, version: number): Sent & { readonly clientSideThrottleTime: number } {
  const reader = new WireReader(bytes);
  const throttleMs = reader.int32();
  if (version >= 7) {
    // An error and an id, of a session that was not asked for.
    reader.int16();
    reader.int32();
  }
  const responses = list(reader, () => ({
    topicName: reader.string(),
    partitions: list(reader, () => readSent(reader, version)),
  }));
  // Before version 8 it is over when the answer comes.
  return { clientSideThrottleTime: version >= 8 ? throttleMs : 0, responses };
}

function readSent(reader: WireReader, version: number): SentPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  // Its end, the end of what is committed, and from version 5 on its begin.
  reader.int64();
  const high = reader.int64();
  if (version >= 5) reader.int64();
  const aborted = list(reader, () => ({ producerId: reader.bigInt64(), firstOffset: reader.int64() }));
  // Another broker that should be asked.
  if (version >= 11) reader.int32();
  return { partition, errorCode, high, aborted, bytes: reader.bytes() };
}

function list<Item>(reader: WireReader, read: () => Item): readonly Item[] {
  const items: Item[] = [];
  for (let left = reader.count(); left > 0; left--) items.push(read());
  return items;
}
