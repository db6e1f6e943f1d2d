import { type QueueEvent, type RewindPosition, systemClock } from '@nq/core';
import { checkMs, checkOptions, checkPosition } from '@nq/core/parts';
import { type Decoded, EventReader } from './event-reader.ts';
import type { IncomingRecord } from './kafka-driver.ts';
import { kafkaError, openError } from './kafka-error.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { checkServer, checkTopic, type ServerOptions, serverNames } from './kafka-options.ts';
import { openDriver } from './open-driver.ts';
import { readOn } from './read-on.ts';
import { offsetsOf } from './rewind-position.ts';

/** What is read, and of which topic. The object is copied. */
export interface KafkaReaderOptions extends ServerOptions {
  /** The topic that holds the events. */
  readonly topic: string;
  /**
   * Where it begins: `{ time }`, in milliseconds since the Unix epoch, or `{ position }`: `earliest`, `latest`, or offsets
   * such as `0:120,3:7`, partition and offset; then only these partitions are read.
   *
   * @default `{ position: 'earliest' }`
   */
  readonly from?: RewindPosition | undefined;
  /** Where it ends: at the first event that is not read, in the same words. @default `{ position: 'latest' }`, as it is when reading begins */
  readonly to?: RewindPosition | undefined;
  /** How long opening may take, and how long a broker that leads a partition may be away, in milliseconds. @default 10_000 */
  readonly openTimeoutMs?: number | undefined;
  /** The member of foreign JSON that is the key of the event. @default 'key' */
  readonly foreignKey?: string | undefined;
}

/** An event as it stands in the topic, or a record that is none. */
export type ReadRecord = ReadPlace & (ReadEvent | ReadFlaw);

/** Where a record stands in its topic. */
interface ReadPlace {
  readonly partition: number;
  readonly offset: number;
  /** When it was written, in milliseconds since the Unix epoch, by the clock of its producer or of the broker; -1 if nobody knows. */
  readonly time: number;
}

interface ReadEvent {
  readonly event: QueueEvent;
  readonly flaw?: undefined;
}

interface ReadFlaw {
  readonly event?: undefined;
  /** Why it is no event. */
  readonly flaw: string;
  readonly value: Uint8Array | null;
}

const action = 'Cannot read';

/**
 * Reads a topic for an audit: no group is touched, and nothing is taken. Events of one partition, and so of one key, come in
 * their order; partitions are read in turns. Connects when it is iterated, reads on as the loop asks for more, and lets go
 * of its connections when the loop ends, by `break` too.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be; when iterated, also {NqError} `NQ_CONFIG` if there
 * is no such topic, or the brokers refuse us; `NQ_UNAVAILABLE` if none answers.
 */
export function kafkaReader(options: KafkaReaderOptions): AsyncIterable<ReadRecord> {
  checkOptions(action, options, [...serverNames, 'topic', 'from', 'to', 'openTimeoutMs', 'foreignKey']);
  checkTopic(action, 'topic', options.topic);
  checkServer(action, options);
  const { openTimeoutMs = 10_000, from = { position: 'earliest' }, to = { position: 'latest' } } = options;
  checkMs(action, 'openTimeoutMs', openTimeoutMs, 1);
  const [first, end] = [checkPosition(`${action}: from`, from), checkPosition(`${action}: to`, to)];
  const reading = { ...options, openTimeoutMs, from: first, to: end };
  return { [Symbol.asyncIterator]: () => read(reading) };
}

interface Reading extends KafkaReaderOptions {
  readonly openTimeoutMs: number;
  readonly from: RewindPosition;
  readonly to: RewindPosition;
}

async function* read(reading: Reading): AsyncGenerator<ReadRecord, void, void> {
  const { topic, from, to, openTimeoutMs, foreignKey } = reading;
  const events = new EventReader({ foreign: { key: foreignKey } });
  const clock = systemClock;
  const options = { server: reading, openTimeoutMs, requestTimeoutMs: 5000, metadataMaxAgeMs: 60_000 };
  const { driver, prepared: parts } = await openDriver(options, clock, async (opened) => {
    await opened.partitionsOf(topic);
    // First, so that what is written meanwhile is not read.
    const ends = await offsetsOf(opened, topic, to, action);
    const starts = await offsetsOf(opened, topic, from, action);
    return Array.from(starts, ([partition, next]) => ({ partition, next, end: ends.get(partition) ?? next }));
  }).catch((error: unknown) => {
    throw openError(action, topic, error);
  });
  try {
    while (parts.some(({ next, end }) => next < end)) {
      for (const part of parts) {
        if (part.next >= part.end) continue;
        const place = { topic, partition: part.partition, offset: part.next };
        const { records, end } = await readOn(driver, { clock, limitMs: openTimeoutMs }, place).catch(refusal);
        for (const record of records) {
          if (record.offset >= part.end) break;
          yield shown(part.partition, record, events.read(record));
        }
        part.next = end;
      }
    }
  } finally {
    await driver.close();
  }
}

function refusal(error: unknown): never {
  throw error instanceof KafkaFailure ? kafkaError('read', error) : error;
}

function shown(partition: number, record: IncomingRecord, decoded: Decoded): ReadRecord {
  const { offset, time } = record;
  const place = { partition, offset, time };
  return 'flaw' in decoded ? { ...place, flaw: decoded.flaw, value: record.value } : { ...place, event: decoded.event };
}
