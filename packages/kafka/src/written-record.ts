import { readHeaders } from './fetched-record.ts';
import type { IncomingRecord, OutgoingRecord } from './kafka-driver.ts';
import { WireReader } from './wire-reader.ts';

/** The most that a record takes in front of its key: three numbers of up to 5 bytes, and one of 1 (Kafka's record format 2, KIP-98). */
const overhead = 16;

/**
 * A record as a batch has it, from its key on: what stands in front of that depends on its place in the batch. It keeps the
 * bytes that it was written into, which others may share.
 */
export class WrittenRecord implements OutgoingRecord {
  readonly source: Buffer;
  /** Where it begins in them, and where it ends. */
  readonly start: number;
  readonly end: number;

  constructor(source: Buffer, start: number, end: number) {
    this.source = source;
    this.start = start;
    this.end = end;
  }

  /** The most that it takes in a batch. */
  get bytes(): number {
    return this.end - this.start + overhead;
  }

  get key(): Buffer | null {
    return this.#reader().varintBytes();
  }

  get value(): Buffer | null {
    const reader = this.#reader();
    reader.passBytes();
    return reader.varintBytes();
  }

  get headers(): IncomingRecord['headers'] {
    const reader = this.#reader();
    reader.passBytes();
    reader.passBytes();
    return readHeaders(reader, []);
  }

  #reader(): WireReader {
    return new WireReader(this.source, this.start);
  }
}
