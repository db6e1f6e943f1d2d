import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Codec, type Compression, mostBytes } from '../src/codecs/codec.ts';
import { compressBatch } from '../src/codecs/compress-batch.ts';
import { compressBlock, worstBlock } from '../src/codecs/lz4-block.ts';
import { compressions, decompress, loadCodec } from '../src/codecs/load-codec.ts';
import { loadZstd } from '../src/codecs/zlib.ts';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { at, encodeBatch, seal } from '../src/record-batch.ts';
import { readBatches, type ReadRecords } from '../src/read-batches.ts';

const codecs = compressions.filter((compression) => compression !== 'none');
const codecOf = async (compression: Compression): Promise<Codec> => (await loadCodec(compression)) as Codec;
const unpack = (compression: Compression, bytes: Buffer) => decompress(compressions.indexOf(compression), bytes);
const read = (bytes: Buffer): Promise<ReadRecords> =>
  readBatches({ bytes, from: 0, aborted: [], enoughBytes: Infinity });

/** Text that can be made smaller, or cannot. */
const anyBytes = fc
  .array(fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constantFrom('a'.repeat(500), 'ce_specversion', '{"n":1}')))
  .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part as string))));

/** A block of Snappy that stands for `length` bytes, and has two of them. */
function snappyBlock(length: number): Buffer {
  const bytes: number[] = [];
  let left = length;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Buffer.from([...bytes, left, 4, 1, 2]);
}

/** Where the matches of a short block of LZ4 are in what it stands for. */
function matchesOf(block: Buffer): readonly { readonly start: number; readonly end: number }[] {
  const matches: { readonly start: number; readonly end: number }[] = [];
  let next = 0;
  let place = 0;
  const lengthOf = (half: number): number => {
    let length = half;
    for (let byte = half === 15 ? 255 : 0; byte === 255; length += byte) byte = block[next++] as number;
    return length;
  };
  for (;;) {
    const token = block[next++] as number;
    const literals = lengthOf(token >> 4);
    next += literals;
    place += literals;
    if (next >= block.length) return matches;
    next += 2;
    const start = place;
    place += lengthOf(token & 15) + 4;
    matches.push({ start, end: place });
  }
}

/** What records hold, which they read when they are asked. */
const heldBy = ({ records }: ReadRecords) =>
  records.map((record) => ({ ...record, key: record.key, value: record.value, headers: record.headers }));

describe.each(codecs)('records compressed with %s', (compression) => {
  test('are read as they were written, whatever they are', async () => {
    const head = { time: 5, identity: { id: 7n, epoch: 1 }, sequence: 3 };
    await fc.assert(
      fc.asyncProperty(fc.array(anyBytes, { minLength: 1, maxLength: 20 }), async (values) => {
        const plain = encodeBatch(
          values.map((value) => ({ key: null, value, headers: { h: 'x' } })),
          head,
        );
        const batch = await compressBatch(plain, compression);
        expect(batch.readInt16BE(at.attributes)).toBe(compressions.indexOf(compression));
        const came = heldBy(await read(batch));
        expect(came).toEqual(heldBy(await read(plain)));
        expect(came.map(({ value }) => value)).toEqual(values);
      }),
    );
  });

  test('are smaller than before, if they are alike', async () => {
    const values = Array.from({ length: 100 }, (_, index) => ({
      key: null,
      value: Buffer.from(`{"order":${index}}`),
      headers: {},
    }));
    const plain = encodeBatch(values, { time: 5, identity: { id: 7n, epoch: 1 }, sequence: 3 });
    expect((await compressBatch(plain, compression)).length).toBeLessThan(plain.length / 2);
  });

  test('are read or refused, whatever was made of them, and others are read as before', async () => {
    const codec = await codecOf(compression);
    const plain = Buffer.from('to be or not to be, that is not to be '.repeat(50));
    const packed = await codec.compress(plain);
    const change = fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(change, fc.nat(packed.length), async (changes, length) => {
        const wrong = Buffer.from(packed);
        for (const [index, byte] of changes) wrong[index] = byte;
        for (const bytes of [wrong, packed.subarray(0, length)]) {
          const error = await unpack(compression, bytes).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          expect(error === undefined || (error instanceof KafkaFailure && error.kind === 'unreadable')).toBe(true);
        }
        expect((await unpack(compression, packed)).equals(plain)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('records that are compressed', () => {
  test.each<[Compression, string, () => Buffer | Promise<Buffer>]>([
    ['gzip', 'what it holds', () => zlib.gzipSync(Buffer.alloc(mostBytes + 1), { level: 1 })],
    ['zstd', 'what it holds', async () => (await codecOf('zstd')).compress(Buffer.alloc(mostBytes + 1))],
    ['lz4', 'what it holds', async () => (await codecOf('lz4')).compress(Buffer.alloc(mostBytes + 1))],
    ['snappy', 'what it says it holds', () => snappyBlock(mostBytes + 1)],
    ['snappy', 'what so few bytes can hold', () => snappyBlock(1_000_000)],
  ])('are refused if they would fill the memory: %s, by %s', async (compression, _, bomb) => {
    await expect(unpack(compression, await bomb())).rejects.toMatchObject({
      kind: 'unreadable',
      meaning: `what Kafka has sent cannot be read: records cannot be unpacked with ${compression}`,
    });
  });

  test.each([
    ['a match with nothing before it', '00 0100 1061'],
    ['a match of itself', '1061 0000 1062'],
    ['a match that is longer than a block', `1f61 0100 ${'ff'.repeat(300)}00 1062`],
    ['a match that is cut off', '1061 01'],
    ['literals that are longer than a block', `f0${'ff'.repeat(300)}00 ${'61'.repeat(76_515)}`],
    ['literals that are cut off', '5061'],
    ['a length that is cut off', 'f0ff'],
  ])('are refused if a block of LZ4 is %s', async (_, text) => {
    const block = Buffer.from(text.replaceAll(' ', ''), 'hex');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(block.length);
    const frame = Buffer.concat([Buffer.from('04224d18604082', 'hex'), length, block, Buffer.alloc(4)]);
    await expect(unpack('lz4', frame)).rejects.toMatchObject({ kind: 'unreadable' });
  });

  // In front of each is how many bytes it stands for.
  test.each([
    ['literals of a length below zero', '05 fcfaffffff'],
    ['literals that are longer than a block', '05 106162'],
    ['literals whose length is cut off', '05 f4ff'],
    ['more literals than it stands for', '01 086162 63'],
    ['a match that is longer than what it stands for', '05 0061 120100'],
    ['a match with nothing before it', '04 0061 0a0200'],
    ['a match at no distance', '04 0061 0a0000'],
    ['a match at a distance below zero', '04 0061 0bffffffff'],
    ['a match that is cut off', '05 0061 0a'],
    ['a short match that is cut off', '05 0061 01'],
    ['fewer bytes than it stands for', '05 086162 63'],
    ['a length that is cut off', '80'],
    ['a length that is below zero', 'feffffff0f'],
  ])('are refused if a block of Snappy is %s', async (_, text) => {
    await expect(unpack('snappy', Buffer.from(text.replaceAll(' ', ''), 'hex'))).rejects.toMatchObject({
      kind: 'unreadable',
    });
  });

  test('with Snappy may have every kind of literals and matches', async () => {
    const block = Buffer.concat([
      Buffer.from('fc02 08616263 0103 0a0300 0b0a000000'.replaceAll(' ', ''), 'hex'),
      Buffer.from(
        `f03c${'79'.repeat(61)} f42b01${'78'.repeat(300)} f8020000${'7a'.repeat(3)}`.replaceAll(' ', ''),
        'hex',
      ),
      Buffer.from(`fc02000000${'77'.repeat(3)}`, 'hex'),
    ]);
    const text = `abcabcabcaabc${'y'.repeat(61)}${'x'.repeat(300)}zzzwww`;
    expect((await unpack('snappy', block)).toString()).toBe(text);
  });

  test.each(['ffffff7f', 'ffffffff'])('are refused if a block of LZ4 says that it has %s bytes', async (length) => {
    const frame = Buffer.from(`04224d18604082${length}00000000`, 'hex');
    await expect(unpack('lz4', frame)).rejects.toMatchObject({ kind: 'unreadable' });
  });

  test('have no match near the end of a block of LZ4, as the format demands', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(97, 98), { minLength: 20, maxLength: 60, size: 'max' }), (bytes) => {
        const block = Buffer.from(bytes);
        const target = Buffer.alloc(worstBlock(block.length));
        const matches = matchesOf(target.subarray(0, compressBlock(block, target)));
        for (const { start, end } of matches) {
          expect(start).toBeLessThanOrEqual(block.length - 12);
          expect(end).toBeLessThanOrEqual(block.length - 5);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each([0, 1, 11, 12, 13, 65_535, 65_536, 65_537, 200_000])('with LZ4 may be of %i bytes', async (length) => {
    const codec = await codecOf('lz4');
    for (const unit of ['a', 'to be or not to be', randomBytes(5000)]) {
      const plain = Buffer.alloc(length, unit);
      const packed = await codec.compress(plain);
      expect(packed.length).toBeLessThanOrEqual(plain.length + 11 + 4 * Math.ceil(length / 65_536));
      expect((await codec.decompress(packed)).equals(plain)).toBe(true);
    }
  });

  // Written by the reference implementation 1.9.4, with blocks that need those before them, checksums, and the length.
  test('are read from a frame of LZ4 as others write them', async () => {
    const frame = Buffer.from(
      '04224d187c40c8000000000000002c1e000000d1746f206265206f72206e6f74200d00122c07000f140097502062652c20455c595500000000e2ff98c0',
      'hex',
    );
    expect((await unpack('lz4', frame)).toString()).toBe('to be or not to be, '.repeat(10));
  });

  test('are refused if there are too many of them', async () => {
    const plain = encodeBatch([{ key: null, value: null, headers: {} }], {
      time: 5,
      identity: { id: 7n, epoch: 1 },
      sequence: 0,
    });
    const batch = await compressBatch(plain, 'gzip');
    batch.writeInt32BE(1_000_001, at.count);
    await expect(read(seal(batch))).rejects.toMatchObject({
      meaning: expect.stringContaining('more than 1000000 records'),
    });
  });

  test('are refused if nobody knows the codec', async () => {
    await expect(decompress(5, Buffer.alloc(1))).rejects.toMatchObject({ meaning: expect.stringContaining('codec 5') });
  });

  test('may be in the frames that Java writes around Snappy', async () => {
    const codec = await codecOf('snappy');
    const parts = ['to be ', 'or not to be'];
    const blocks: Buffer[] = [Buffer.from('82534e41505059000000000100000001', 'hex')];
    for (const part of parts) {
      const block = await codec.compress(Buffer.from(part));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(block.length);
      blocks.push(length, block);
    }
    const framed = Buffer.concat(blocks);
    expect((await unpack('snappy', framed)).toString()).toBe('to be or not to be');
    await expect(unpack('snappy', framed.subarray(0, -1))).rejects.toMatchObject({ kind: 'unreadable' });
  });
});

test('zstd is refused where this Node.js has none', () => {
  const own = zlib as { zstdCompress?: unknown };
  const { zstdCompress } = own;
  own.zstdCompress = undefined;
  try {
    expect(() => loadZstd()).toThrow(/^compression with zstd needs Node\.js 22\.15, 23\.8 or later, and this is v/);
  } finally {
    own.zstdCompress = zstdCompress;
  }
});
