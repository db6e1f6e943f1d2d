import { crc32c } from './crc32c.ts';
import type { OutgoingRecord, ProducerIdentity } from './kafka-driver.ts';
import { varintSize, WireWriter } from './wire-writer.ts';
import { WrittenRecord } from './written-record.ts';

/** The bytes in front of the records: the format of Kafka's documentation, "Record Batch", magic 2. */
export const headBytes = 61;

/** Where the fields of a batch begin. */
export const at = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTime: 27,
  lastTime: 35,
  producerId: 43,
  producerEpoch: 51,
  sequence: 53,
  count: 57,
} as const;

/** What `attributes` of a batch say, and of a message of old: how it is compressed, and whether the broker gave it its time. */
export const codecMask = 0x07;
export const hasBrokerTime = 0x08;

/** What a batch says of all its records. */
export interface BatchHead {
  /** When they are written, in milliseconds since the Unix epoch. */
  readonly time: number;
  readonly identity: ProducerIdentity;
  /** The number of the first record among those of this identity in the partition. */
  readonly sequence: number;
}

/** How much room a record is given at first, in bytes, besides its key and its value. */
const usualHeaders = 256;
/** How much one that is written already takes in front of its key. */
const usualHead = 8;

/**
 * The record batch of `records`, of which there is at least one, as a broker stores it.
 *
 * @param roomBefore how many bytes of its memory are left free in front of it.
 */
export function encodeBatch(records: readonly OutgoingRecord[], head: BatchHead, roomBefore = 0): Buffer {
  let capacity = roomBefore + headBytes;
  for (const record of records) capacity += sizeOf(record);
  const writer = new WireWriter(capacity);
  writer.skip(roomBefore + headBytes);
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutgoingRecord;
    if (record instanceof WrittenRecord) {
      writer.varint(headSize(index) + record.end - record.start);
      writeRecordHead(writer, index);
      writer.part(record.source, record.start, record.end);
    } else writer.varintSized(() => writeRecord(writer, index, record));
  }
  const bytes = writer.bytes.subarray(roomBefore);
  writeHead(bytes, records.length, head);
  return bytes;
}

/** About how many bytes `record` takes. */
function sizeOf(record: OutgoingRecord): number {
  if (record instanceof WrittenRecord) return record.end - record.start + usualHead;
  const { key, value } = record;
  return (key?.length ?? 0) + (value?.length ?? 0) + usualHeaders;
}

function writeRecord(writer: WireWriter, index: number, { key, value, headers }: OutgoingRecord): void {
  writeRecordHead(writer, index);
  writer.varintBytes(key);
  writer.varintBytes(value);
  writeHeaders(writer, headers);
}

/** All records have the time of the batch. */
function writeRecordHead(writer: WireWriter, index: number): void {
  const attributes = 0;
  const timeDelta = 0;
  writer.int8(attributes);
  writer.varint(timeDelta);
  writer.varint(index);
}

/** How many bytes {@link writeRecordHead} writes. */
function headSize(index: number): number {
  return 2 + varintSize(index);
}

function writeHeaders(writer: WireWriter, headers: OutgoingRecord['headers']): void {
  let count = 0;
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) count += Array.isArray(value) ? value.length : 1;
  }
  writer.varint(count);
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (!Array.isArray(value)) writeHeader(writer, name, value as Buffer | string);
    else for (const one of value as readonly (Buffer | string)[]) writeHeader(writer, name, one);
  }
}

function writeHeader(writer: WireWriter, name: string, value: Buffer | string): void {
  writer.varintText(name);
  writer.varintTextOrBytes(value);
}

function writeHead(bytes: Buffer, count: number, { time, identity, sequence }: BatchHead): void {
  const date = BigInt(Math.floor(time));
  bytes.writeBigInt64BE(0n, at.baseOffset);
  bytes.writeInt32BE(-1, at.leaderEpoch);
  bytes.writeInt8(2, at.magic);
  bytes.writeInt16BE(0, at.attributes);
  bytes.writeInt32BE(count - 1, at.lastOffsetDelta);
  bytes.writeBigInt64BE(date, at.baseTime);
  bytes.writeBigInt64BE(date, at.lastTime);
  bytes.writeBigInt64BE(identity.id, at.producerId);
  bytes.writeInt16BE(identity.epoch, at.producerEpoch);
  bytes.writeInt32BE(sequence, at.sequence);
  bytes.writeInt32BE(count, at.count);
  seal(bytes);
}

/** Makes the length and the checksum those of the batch as it is. @returns it. */
export function seal(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - at.leaderEpoch, at.length);
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc);
  return batch;
}
