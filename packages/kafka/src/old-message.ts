import { crc32 } from 'node:zlib';
import { mostRecords } from './codecs/codec.ts';
import { decompress } from './codecs/load-codec.ts';
import { timeOf } from './fetched-record.ts';
import { type IncomingRecord, noTime } from './kafka-driver.ts';
import { codecMask, hasBrokerTime } from './record-batch.ts';
import { unreadable, WireReader } from './wire-reader.ts';

/** The fewest bytes of a message: an offset, a length, a checksum, two bytes of what it is, and the lengths of key and value. */
export const leastBytes = 26;

/** Behind the checksum there is what it is made of. */
const crcBytes = 4;

/** What is in a message. */
export interface OldRecords {
  /** One, or those that were compressed together, in the order of their offsets. */
  readonly records: readonly IncomingRecord[];
  /** How many bytes they are, unpacked. */
  readonly bytes: number;
}

/**
 * Reads a message of the formats that Kafka had before 0.11, which are in partitions that have not been written since: the
 * format of Kafka's documentation, "Message Sets", magic 0 and 1.
 *
 * @throws {KafkaFailure} `unreadable` if it is not what it says, or its checksum is wrong.
 */
export async function readOldMessage(bytes: Buffer): Promise<OldRecords> {
  const outer = readMessage(new WireReader(bytes));
  const codec = outer.attributes & codecMask;
  if (codec === 0) return { records: [recordOf(outer, outer.offset, outer)], bytes: bytes.length };
  if (outer.value === null) throw unreadable('a compressed message has no value');
  const plain = await decompress(codec, outer.value);
  const inner: Message[] = [];
  for (const reader = new WireReader(plain); reader.position < plain.length;) {
    if (inner.length === mostRecords) throw unreadable(`a message has more than ${mostRecords} others`);
    const message = readMessage(reader);
    if ((message.attributes & codecMask) !== 0) throw unreadable('a compressed message is in another one');
    if (message.offset <= (inner.at(-1)?.offset ?? -1)) throw unreadable('messages are not in order');
    inner.push(message);
  }
  const last = inner.at(-1);
  if (last === undefined) throw unreadable('a compressed message has nothing in it');
  // In format 1 theirs count from wherever the producer likes, and that of the outer one is the last of them (KIP-31).
  const base = outer.magic === 0 ? 0 : outer.offset - last.offset;
  if (base + (inner[0] as Message).offset < 0) throw unreadable('a message has an impossible offset');
  return { records: inner.map((message) => recordOf(message, base + message.offset, outer)), bytes: plain.length };
}

interface Message {
  readonly offset: number;
  readonly magic: number;
  readonly attributes: number;
  readonly time: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

function readMessage(reader: WireReader): Message {
  const offset = reader.int64();
  const body = reader.slice(reader.int32());
  const fields = new WireReader(body);
  if (fields.int32() >>> 0 !== crc32(body.subarray(crcBytes))) throw unreadable('a message has a wrong checksum');
  const magic = fields.int8();
  if (magic !== 0 && magic !== 1) throw unreadable(`a message is of the format ${magic}`);
  const attributes = fields.int8();
  const time = magic === 0 ? noTime : timeOf(fields.time());
  const [key, value] = [bytesOf(fields), bytesOf(fields)];
  if (offset < 0) throw unreadable('a message has an impossible offset');
  if (fields.position !== body.length) throw unreadable('a message is not as long as it says');
  return { offset, magic, attributes, time, key, value };
}

/** Bytes behind their length; `null` for -1. */
function bytesOf(fields: WireReader): Buffer | null {
  const length = fields.int32();
  return length === -1 ? null : fields.slice(length);
}

/** @param outer the message that it was compressed in, whose time counts if the broker gave it that. */
function recordOf({ key, value, time }: Message, offset: number, outer: Message): IncomingRecord {
  const isBrokerTime = (outer.attributes & hasBrokerTime) !== 0 && outer.time !== noTime;
  const bytes = (key?.length ?? 0) + (value?.length ?? 0);
  return { offset, key, value, headers: {}, time: isBrokerTime ? outer.time : time, isBrokerTime, bytes };
}
