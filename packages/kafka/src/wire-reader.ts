import { KafkaFailure } from './kafka-failure.ts';

/** What is told of bytes that are not what they should be: a broker has sent them, or whoever stands between. */
export function unreadable(what: string, cause?: unknown): KafkaFailure {
  return new KafkaFailure('unreadable', `what Kafka has sent cannot be read: ${what}`, cause);
}

/**
 * Reads values as Kafka's protocol has them, one behind the other. No length is believed: what goes beyond the end throws a
 * {@link KafkaFailure} of the kind `unreadable`.
 */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#at = start;
  }

  /** What is read. */
  get source(): Buffer {
    return this.#bytes;
  }

  /** Where the next value begins. */
  get position(): number {
    return this.#at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#pass(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#pass(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#pass(4));
  }

  /** An int64 that counts something: offsets are far from what a number cannot hold. */
  int64(): number {
    const value = this.time();
    if (!Number.isSafeInteger(value)) throw unreadable('a number is too large');
    return value;
  }

  /** An int64 that tells a time, as near as a number comes to it: producers write what they like, and brokers may take it. */
  time(): number {
    const at = this.#pass(8);
    return this.#bytes.readInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
  }

  /** An int64 that is a name. */
  bigInt64(): bigint {
    return this.#bytes.readBigInt64BE(this.#pass(8));
  }

  /** How many there are; none for -1. */
  count(): number {
    return Math.max(0, this.int32());
  }

  /** A text behind its length, as an int16. */
  string(): string {
    const length = this.int16();
    const at = this.#pass(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** Bytes behind their length, as an int32; none for -1. The same bytes: not a copy. */
  bytes(): Buffer {
    return this.slice(this.count());
  }

  /** The next `length` bytes. The same bytes: not a copy. */
  slice(length: number): Buffer {
    const at = this.#pass(length);
    return this.#bytes.subarray(at, at + length);
  }

  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** A varint without a sign, of up to 32 bits. */
  uvarint(): number {
    const bytes = this.#bytes;
    const first = this.#at < this.#end ? (bytes[this.#at++] as number) : this.#pass(1);
    let value = first & 0x7f;
    for (let byte = first, shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) throw unreadable('a number is too long');
      byte = bytes[this.#pass(1)] as number;
      value |= (byte & 0x7f) << shift;
    }
    return value >>> 0;
  }

  /** A varint of up to 64 bits, as near as a number comes to it. */
  varlong(): number {
    let byte = this.#bytes[this.#pass(1)] as number;
    // The lowest bit is the sign, and is lost in a number that is too large to hold all of them.
    const isNegative = byte % 2 === 1;
    let value = (byte & 0x7f) >> 1;
    for (let factor = 2 ** 6; byte > 0x7f; factor *= 0x80) {
      if (factor > 2 ** 62) throw unreadable('a number is too long');
      byte = this.#bytes[this.#pass(1)] as number;
      value += (byte & 0x7f) * factor;
    }
    return isNegative ? -value - 1 : value;
  }

  /** Bytes behind their length, as a varint; `null` for -1. The same bytes: not a copy. */
  varintBytes(): Buffer | null {
    const length = this.varint();
    return length === -1 ? null : this.slice(length);
  }

  /** The same as a text, which costs less than to make a buffer first. */
  varintString(encoding: 'utf8' | 'latin1'): string | null {
    const length = this.varint();
    if (length === -1) return null;
    const at = this.#pass(length);
    return this.#bytes.toString(encoding, at, at + length);
  }

  /** Passes over bytes that {@link varintBytes} would read. */
  passBytes(): void {
    const length = this.varint();
    if (length !== -1) this.#pass(length);
  }

  /** Passes over what {@link varintText} would read. */
  passText(): void {
    this.#pass(this.varint());
  }

  /**
   * What {@link varintBytes} reads, as a text where all of it is ASCII: headers mostly are, and that saves a buffer each.
   *
   * @param likely what it is for the most part.
   */
  varintTextOrBytes(likely: string | undefined): string | Buffer | null {
    const length = this.varint();
    if (length === -1) return null;
    const at = this.#pass(length);
    if (this.#is(likely, at, length)) return likely;
    const bytes = this.#bytes;
    for (let index = at; index < at + length; index++) {
      if ((bytes[index] as number) > 0x7f) return bytes.subarray(at, at + length);
    }
    return bytes.toString('latin1', at, at + length);
  }

  /** A text behind its length, as a varint. @param likely what it is for the most part. */
  varintText(likely: string | undefined): string {
    const length = this.varint();
    const at = this.#pass(length);
    if (this.#is(likely, at, length)) return likely;
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** Whether the `length` bytes from `at` on are `text`, in ASCII. */
  #is(text: string | undefined, at: number, length: number): text is string {
    if (text?.length !== length) return false;
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f || code !== bytes[at + index]) return false;
    }
    return true;
  }

  /** @returns where the next `length` bytes begin, which are read with that. */
  #pass(length: number): number {
    const at = this.#at;
    if (length < 0 || at + length > this.#end) throw unreadable('it is cut off');
    this.#at = at + length;
    return at;
  }
}
