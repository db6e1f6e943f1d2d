import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const load = <Loaded>(path: string): Loaded => require(`kafkajs/src/protocol/${path}`) as Loaded;

const Decoder = load<new (bytes: Buffer) => object>('decoder');
const decodeBatch =
  load<(decoder: object) => Promise<{ readonly records: readonly KafkajsRecord[] }>>('recordBatch/v0/decoder');
const { RecordBatch } = load<{ RecordBatch: (batch: object) => Promise<{ buffer: Buffer }> }>('recordBatch/v0');
const makeRecord = load<(record: object) => object>('recordBatch/record/v0');
const encodeMessages = load<(set: object) => { buffer: Buffer }>('messageSet');

/** A record as kafkajs reads it. */
export interface KafkajsRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
  readonly batchContext: {
    readonly producerId: string;
    readonly producerEpoch: number;
    readonly firstSequence: number;
    readonly lastOffsetDelta: number;
  };
}

/** The records of a batch, as kafkajs reads them. It looks at no checksum. */
export async function readWithKafkajs(batch: Buffer): Promise<readonly KafkajsRecord[]> {
  return (await decodeBatch(new Decoder(batch))).records;
}

/** What kafkajs writes a batch of. */
export interface KafkajsBatch {
  readonly firstOffset: number;
  readonly firstTimestamp: number;
  readonly records: readonly { readonly key: unknown; readonly value: unknown; readonly headers?: object }[];
  readonly timestampDeltas?: readonly number[];
  readonly compression?: number;
  readonly transactional?: boolean;
  readonly producerId?: number;
}

/** A batch, as kafkajs writes it. */
export async function writeWithKafkajs({ records, timestampDeltas = [], ...batch }: KafkajsBatch): Promise<Buffer> {
  const { buffer } = await RecordBatch({
    ...batch,
    lastOffsetDelta: records.length - 1,
    records: records.map((record, index) =>
      makeRecord({ ...record, offsetDelta: index, timestampDelta: timestampDeltas[index] ?? 0 }),
    ),
  });
  return Buffer.from(buffer);
}

/** What kafkajs writes a message of. */
export interface OldEntry {
  readonly key: string | null;
  readonly value: string | Buffer | null;
  readonly timestamp?: number;
  /** The number of the codec in which the value holds other messages. */
  readonly compression?: number;
}

/** Messages in a format of Kafka before 0.11, from `offset` on. */
export function writeOldMessages(messageVersion: 0 | 1, offset: number, entries: readonly OldEntry[]): Buffer {
  const bytes = Buffer.from(encodeMessages({ messageVersion, compression: 0, entries }).buffer);
  // The broker is who writes offsets.
  for (let start = 0, next = offset; start < bytes.length; start += 12 + bytes.readInt32BE(start + 8)) {
    bytes.writeBigInt64BE(BigInt(next++), start);
  }
  return bytes;
}
