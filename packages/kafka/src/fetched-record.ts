import { type IncomingRecord, noTime } from './kafka-driver.ts';
import { longestKept, mostKept } from './record-headers.ts';
import { unreadable, WireReader } from './wire-reader.ts';

/** What the records of a batch count from. */
export interface BatchBase {
  /** The offset. */
  readonly first: number;
  readonly baseTime: number;
  /** The time of all of them, if the broker gave them one. */
  readonly brokerTime: number | undefined;
}

type Headers = Record<string, Buffer | string | (Buffer | string)[]>;

/** The last moment that RFC 3339 can write. */
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** The time of a record that says `time`: none, as of one that says none, if it is no date in milliseconds. */
export function timeOf(time: number): number {
  return time >= 0 && time <= lastTime ? time : noTime;
}

/**
 * A record as it lies in the bytes of its batch, which it keeps. What it holds is read when it is asked for: most of what is
 * fetched waits before it is handed out, and all that was read of it by then would have to be kept too, and moved about by
 * the garbage collector.
 */
export class FetchedRecord implements IncomingRecord {
  readonly offset: number;
  readonly time: number;
  readonly isBrokerTime: boolean;
  readonly bytes: number;
  readonly #source: Buffer;
  /** Where the key, the value and the headers begin in it, with their length or their number in front. */
  readonly #keyAt: number;
  readonly #valueAt: number;
  readonly #headersAt: number;
  /** Name and value of each header, in turn, of the record that was read last. */
  readonly #texts: string[];

  /**
   * Passes over the next record of `reader`.
   *
   * @param texts name and value of each header, in turn, of the record that was read last: shared by the records of a batch,
   * of which most say the same.
   * @throws {KafkaFailure} `unreadable` if it is cut off, or not as long as it says: what is made can be read later, whatever
   * it holds.
   */
  constructor(reader: WireReader, { first, baseTime, brokerTime }: BatchBase, texts: string[]) {
    this.bytes = reader.varint();
    const end = reader.position + this.bytes;
    reader.int8();
    const recordTime = baseTime + reader.varlong();
    this.time = timeOf(brokerTime ?? recordTime);
    this.isBrokerTime = brokerTime !== undefined && this.time !== noTime;
    this.offset = first + reader.varint();
    this.#source = reader.source;
    this.#keyAt = reader.position;
    reader.passBytes();
    this.#valueAt = reader.position;
    reader.passBytes();
    this.#headersAt = reader.position;
    for (let left = reader.varint(); left > 0; left--) {
      reader.passText();
      reader.passBytes();
    }
    this.#texts = texts;
    if (reader.position !== end) throw unreadable('a record is not as long as it says');
  }

  get key(): Buffer | null {
    return new WireReader(this.#source, this.#keyAt).varintBytes();
  }

  get value(): Buffer | null {
    return new WireReader(this.#source, this.#valueAt).varintBytes();
  }

  get headers(): Headers {
    return readHeaders(this.headersReader(), this.#texts);
  }

  /** The key, as a text that no other bytes have; `undefined` if there is none. */
  keyText(): string | undefined {
    return new WireReader(this.#source, this.#keyAt).varintString('latin1') ?? undefined;
  }

  /** The value, with replacement characters for what is not UTF-8. */
  valueText(): string | null {
    return new WireReader(this.#source, this.#valueAt).varintString('utf8');
  }

  /** Reads the number of headers, and then each of them. */
  headersReader(): WireReader {
    return new WireReader(this.#source, this.#headersAt);
  }
}

/**
 * Reads the headers of a record, behind their number.
 *
 * @param texts name and value of each header, in turn, of a record that was read before, and then of this one.
 */
export function readHeaders(reader: WireReader, texts: string[]): Headers {
  const headers: Headers = {};
  const count = reader.varint();
  for (let index = 0; index < count; index++) {
    const name = reader.varintText(texts[2 * index]);
    const value = reader.varintTextOrBytes(texts[2 * index + 1]);
    if (index < mostKept) {
      texts[2 * index] = kept(name);
      texts[2 * index + 1] = kept(value);
    }
    // A header may have no value, which says as much as one that is not there.
    if (value !== null) add(headers, name, value);
  }
  return headers;
}

function kept(text: string | Buffer | null): string {
  return typeof text === 'string' && text.length <= longestKept ? text : '';
}

function add(headers: Headers, name: string, value: Buffer | string): void {
  const others = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (Array.isArray(others)) others.push(value);
  else setHeader(headers, name, others === undefined ? value : [others, value]);
}

/** Gives `headers` one of any name: assigned, `__proto__` would be their prototype. */
export function setHeader<Value>(headers: Record<string, Value | undefined>, name: string, value: Value): void {
  if (name !== '__proto__') headers[name] = value;
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true });
}
