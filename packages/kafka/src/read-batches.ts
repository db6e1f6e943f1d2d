import { mostRecords } from './codecs/codec.ts';
import { decompress } from './codecs/load-codec.ts';
import { crc32c } from './crc32c.ts';
import { type BatchBase, FetchedRecord } from './fetched-record.ts';
import type { IncomingRecord } from './kafka-driver.ts';
import { leastBytes, readOldMessage } from './old-message.ts';
import { at, codecMask, hasBrokerTime, headBytes } from './record-batch.ts';
import { unreadable, WireReader } from './wire-reader.ts';

/** What `attributes` of a batch say besides. */
const isTransactional = 0x10;
const isControl = 0x20;

/** A transaction whose records are none. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  /** Of its first record in the partition. */
  readonly firstOffset: number;
}

/** What a broker has sent of one partition. */
export interface SentRecords {
  /** Batches one behind the other, or messages of Kafka before 0.11; the last one may be cut off. */
  readonly bytes: Buffer;
  /** What was asked for: a batch may begin before. */
  readonly from: number;
  readonly aborted: readonly AbortedTransaction[];
  /** After so many bytes, unpacked, no further batch is read. */
  readonly enoughBytes: number;
}

/** What was sent, read. */
export interface ReadRecords {
  readonly records: readonly IncomingRecord[];
  /** The offset behind the last batch that was read; `undefined` if there is none behind what was asked for. */
  readonly end: number | undefined;
  /** How many bytes were read, unpacked. */
  readonly bytes: number;
}

/**
 * Reads record batches. Records of aborted transactions, those that mark the end of one, and those before `from` are left
 * out; a batch that is cut off at the end is ignored, for the next fetch begins with it.
 *
 * @throws {KafkaFailure} `unreadable` if something else is cut off, or a checksum is wrong.
 */
export async function readBatches({ bytes, from, aborted, enoughBytes }: SentRecords): Promise<ReadRecords> {
  const records: IncomingRecord[] = [];
  const transactions = new Transactions(aborted);
  let end: number | undefined;
  let read = 0;
  for (let start = 0; start + at.crc <= bytes.length && read < enoughBytes;) {
    // At the same place in all formats, as the length is.
    const magic = bytes[start + at.magic] as number;
    if (magic > 2) throw unreadable(`a record batch is of the format ${magic}`);
    const length = bytes.readInt32BE(start + at.length);
    const next = start + at.leaderEpoch + length;
    if (next - start < (magic < 2 ? leastBytes : headBytes))
      throw unreadable('a record batch is shorter than its head');
    if (next > bytes.length) break;
    const batch = bytes.subarray(start, next);
    if (magic < 2) {
      const old = await readOldMessage(batch);
      for (const record of old.records) {
        if (record.offset < (end ?? 0)) throw unreadable('messages are not in order');
        if (record.offset >= from) records.push(record);
        end = record.offset + 1;
      }
      read += old.bytes;
    } else {
      const head = readHead(batch);
      if (head.first < (end ?? 0)) throw unreadable('record batches are not in order');
      read += transactions.leaveOut(head, batch) ? batch.length : await readRecords(batch, head, from, records);
      end = head.last + 1;
    }
    start = next;
  }
  // Nothing is behind what was asked for: it would be asked for the same for ever.
  return { records, end: end !== undefined && end > from ? end : undefined, bytes: read };
}

/** What a batch says of itself. */
interface Head extends BatchBase {
  readonly attributes: number;
  readonly last: number;
  readonly producerId: bigint;
  readonly count: number;
}

function readHead(batch: Buffer): Head {
  if (batch.readUInt32BE(at.crc) !== crc32c(batch, at.attributes))
    throw unreadable('a record batch has a wrong checksum');
  const first = new WireReader(batch, at.baseOffset).int64();
  const reader = new WireReader(batch, at.attributes);
  const attributes = reader.int16();
  const last = first + reader.int32();
  const baseTime = reader.time();
  const lastTime = reader.time();
  const producerId = reader.bigInt64();
  const count = batch.readInt32BE(at.count);
  if (first < 0 || last < first || count < 0) throw unreadable('a record batch has impossible numbers');
  const brokerTime = (attributes & hasBrokerTime) === 0 ? undefined : lastTime;
  return { attributes, first, last, baseTime, brokerTime, producerId, count };
}

/** Tells what is to be left out because of transactions, batch by batch. */
class Transactions {
  /** Those that have not begun yet, the next one last. */
  readonly #coming: AbortedTransaction[];
  readonly #aborted = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#coming = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset);
  }

  leaveOut({ attributes, last, producerId, count }: Head, batch: Buffer): boolean {
    for (let next = this.#coming.at(-1); next !== undefined && next.firstOffset <= last; next = this.#coming.at(-1)) {
      this.#aborted.add(next.producerId);
      this.#coming.pop();
    }
    if ((attributes & isControl) !== 0) {
      if (count > 0 && isAbort(batch)) this.#aborted.delete(producerId);
      return true;
    }
    return (attributes & isTransactional) !== 0 && this.#aborted.has(producerId);
  }
}

/** Whether the first record of a control batch ends a transaction with everything undone: its key is a version, and then 0. */
function isAbort(batch: Buffer): boolean {
  const { key } = new FetchedRecord(
    new WireReader(batch, headBytes),
    { first: 0, baseTime: 0, brokerTime: undefined },
    [],
  );
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}

/** @returns how many bytes they are, unpacked. */
async function readRecords(batch: Buffer, head: Head, from: number, records: IncomingRecord[]): Promise<number> {
  const codec = head.attributes & codecMask;
  if (codec !== 0 && head.count > mostRecords) throw unreadable(`a record batch has more than ${mostRecords} records`);
  const plain = codec === 0 ? batch : await decompress(codec, batch.subarray(headBytes));
  const reader = new WireReader(plain, codec === 0 ? headBytes : 0);
  const texts: string[] = [];
  let before = head.first - 1;
  for (let index = 0; index < head.count; index++) {
    const record = new FetchedRecord(reader, head, texts);
    if (record.offset <= before || record.offset > head.last) throw unreadable('records are not in order');
    before = record.offset;
    if (record.offset >= from) records.push(record);
  }
  if (reader.position !== plain.length) throw unreadable('a record batch is longer than its records');
  return plain.length;
}
