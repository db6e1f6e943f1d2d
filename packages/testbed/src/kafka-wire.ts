import { connect } from 'node:net';
import type { Address } from './link.ts';

/** How long an answer may take, in milliseconds. */
const defaultTimeoutMs = 5000;

/** A broker, as brokers know each other. */
interface KnownBroker extends Address {
  readonly id: number;
}

/** The versions of a request that a broker understands, by the number of the request. */
export type ApiVersions = ReadonlyMap<number, { readonly min: number; readonly max: number }>;

/** Asks a broker what it understands: the first thing that every client asks, and no broker refuses. */
export async function askApiVersions(address: Address, timeoutMs?: number): Promise<ApiVersions> {
  const answer = new Reader(await ask(address, { key: 18, version: 0, body: Buffer.alloc(0) }, timeoutMs));
  const error = answer.int16();
  if (error !== 0) throw new Error(`ApiVersions failed with error ${error}`);
  return new Map(answer.array(() => [answer.int16(), { min: answer.int16(), max: answer.int16() }]));
}

/** The first level of metadata of each release; `-IV` names in Kafka's MetadataVersion tell which level is which. */
const firstLevels: readonly (readonly [level: number, release: string])[] = [
  [7, '3.3'],
  [8, '3.4'],
  [9, '3.5'],
  [12, '3.6'],
  [15, '3.7'],
  [20, '3.8'],
  [21, '3.9'],
  [22, '4.0'],
  [26, '4.1'],
  [28, '4.2'],
];

/**
 * The release that a broker is of, such as `4.1`, told by the newest metadata it understands, because it does not say its
 * version; `undefined` if it is older than these.
 */
export async function askRelease(address: Address, timeoutMs?: number): Promise<string | undefined> {
  // Its name and its version, a byte each with their lengths plus one, and no tags.
  const body = Buffer.from([2, 0x6e, 2, 0x31, 0]);
  const answer = new Reader(await ask(address, { key: 18, version: 3, body }, timeoutMs));
  if (answer.int16() !== 0) return undefined;
  answer.compactArray(() => [answer.int16(), answer.int16(), answer.int16(), answer.tags()]);
  answer.int32(); // how long it was throttled
  const features = answer.tags().get(0);
  if (features === undefined) return undefined;
  const supported = new Reader(features);
  const levels = supported.compactArray(() => {
    const feature = { name: supported.compactString(), min: supported.int16(), max: supported.int16() };
    supported.tags();
    return feature;
  });
  const level = levels.find(({ name }) => name === 'metadata.version')?.max ?? 0;
  return firstLevels.findLast(([first]) => first <= level)?.[1];
}

/** What a broker knows of its cluster. */
export interface Metadata {
  readonly brokers: readonly KnownBroker[];
  /** Those that can be used. */
  readonly topics: readonly string[];
}

/**
 * Asks a broker for its brokers, and for all topics or just this one, which it then makes unless it has it or its
 * configuration forbids that.
 */
export async function askMetadata(address: Address, topic?: string, timeoutMs?: number): Promise<Metadata> {
  // The number of topics, -1 for all, and their names with their lengths.
  const body = Buffer.alloc(topic === undefined ? 4 : 6 + topic.length);
  body.writeInt32BE(topic === undefined ? -1 : 1, 0);
  if (topic !== undefined) {
    body.writeInt16BE(topic.length, 4);
    body.write(topic, 6);
  }
  const answer = new Reader(await ask(address, { key: 3, version: 1, body }, timeoutMs));
  const brokers = answer.array(() => {
    const broker = { id: answer.int32(), host: answer.string(), port: answer.int32() };
    answer.string(); // rack
    return broker;
  });
  answer.int32(); // the id of the controller
  const topics = answer.array(() => {
    const error = answer.int16();
    const name = answer.string();
    answer.int8(); // whether it is internal
    // Error, number, leader, replicas and those in sync of each partition.
    answer.array(() => {
      answer.int16();
      answer.int32();
      answer.int32();
      for (let list = 0; list < 2; list++) answer.array(() => answer.int32());
    });
    return { error, name };
  });
  // One that is only being made comes with an error.
  const there = topics.filter(({ error }) => error === 0).map(({ name }) => name);
  return { brokers, topics: there };
}

interface KafkaRequest {
  /** What is asked. */
  readonly key: number;
  /** In which version. */
  readonly version: number;
  readonly body: Buffer;
}

/**
 * Sends one request over a connection of its own, and resolves the body of the answer.
 *
 * @throws {Error} what the connection fails with, or that `timeoutMs` are over.
 */
function ask(
  { host, port }: Address,
  { key, version, body }: KafkaRequest,
  timeoutMs = defaultTimeoutMs,
): Promise<Buffer> {
  // Since their third version, requests of this kind have a byte for tags.
  const header = Buffer.alloc(key === 18 && version >= 3 ? 15 : 14);
  header.writeInt32BE(header.length - 4 + body.length, 0);
  header.writeInt16BE(key, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(1, 8); // the number of the request, which comes back with the answer
  header.writeInt16BE(-1, 12); // no name of the client
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (message: string, cause?: unknown): void => {
      socket.destroy();
      reject(new Error(`Cannot ask the broker at ${host}:${port}: ${message}`, { cause }));
    };
    const late = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE(0)) return;
      socket.destroy();
      resolve(bytes.subarray(8, 4 + bytes.readInt32BE(0)));
    });
    socket.once('error', (error) => fail(error.message, error));
    socket.once('close', () => {
      clearTimeout(late);
      fail('the connection was closed');
    });
    socket.write(Buffer.concat([header, body]));
  });
}

/** Reads the types of Kafka's protocol, one after the other. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }

  /** Empty for null. */
  string(): string {
    const length = Math.max(0, this.int16());
    const start = this.#skip(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  array<Item>(read: () => Item): Item[] {
    return Array.from({ length: this.int32() }, read);
  }

  /** A number in as many bytes as it needs, seven bits in each. */
  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#skip(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  compactString(): string {
    const length = Math.max(0, this.varint() - 1);
    const start = this.#skip(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  compactArray<Item>(read: () => Item): Item[] {
    return Array.from({ length: Math.max(0, this.varint() - 1) }, read);
  }

  /** What was added to the protocol later, by number. */
  tags(): ReadonlyMap<number, Buffer> {
    const tags = new Map<number, Buffer>();
    for (let left = this.varint(); left > 0; left--) {
      const tag = this.varint();
      const length = this.varint();
      const start = this.#skip(length);
      tags.set(tag, this.#bytes.subarray(start, start + length));
    }
    return tags;
  }

  #skip(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
