import { type Codec, mostBytes } from './codec.ts';
import { compressBlock, decompressBlock, largestBlock, worstBlock } from './lz4-block.ts';

/**
 * LZ4, in its frame format ("LZ4 Frame Format Description" 1.6.1). Ours, for of what is there in JavaScript lz4js writes
 * frames that brokers refuse, and @platformatic/wasm-utils reads nothing any more after the first frame that is broken.
 */
export const lz4: Codec = {
  compress: async (plain) => compress(plain),
  decompress: async (compressed) => decompress(compressed),
};

/** What is in front of the blocks: a magic number, that blocks need none before them, their size, and a checksum of both. */
const head = Buffer.from('04224d18604082', 'hex');
/** What is behind them: a block of no length. */
const tail = 4;
/** In front of a block is its length, with this where it is not compressed. */
const isPlain = 0x80000000;

const magic = 0x184d2204;
const flag = { version: 0xc0, ours: 0x40, blockChecksum: 0x10, contentSize: 0x08, dictionary: 0x01 };
/** A byte of a compressed block stands for so many at the most. */
const bestRatio = 255;

function compress(plain: Buffer): Buffer {
  const blocks = Math.ceil(plain.length / largestBlock);
  const worst = worstBlock(Math.min(largestBlock, plain.length));
  const frame = Buffer.allocUnsafeSlow(head.length + blocks * (4 + worst) + tail);
  let at = head.copy(frame);
  for (let start = 0; start < plain.length; start += largestBlock) {
    const block = plain.subarray(start, start + largestBlock);
    const compressed = compressBlock(block, frame.subarray(at + 4));
    const isShorter = compressed < block.length;
    if (!isShorter) block.copy(frame, at + 4);
    const length = isShorter ? compressed : block.length;
    at = frame.writeUInt32LE(isShorter ? length : isPlain + length, at) + length;
  }
  return frame.subarray(0, frame.writeUInt32LE(0, at));
}

/** @throws {RangeError} if it is cut off, is no frame, or may be more than {@link mostBytes}. */
function decompress(frame: Buffer): Buffer {
  const blocks = blocksOf(frame);
  const plain = Buffer.allocUnsafeSlow(blocks.reduce((sum, { most }) => sum + most, 0));
  let length = 0;
  for (const { bytes, most, isCompressed } of blocks) {
    length = isCompressed ? decompressBlock(bytes, plain, length, length + most) : length + bytes.copy(plain, length);
  }
  return plain.subarray(0, length);
}

interface Block {
  readonly bytes: Buffer;
  readonly isCompressed: boolean;
  /** How many bytes it may stand for. */
  readonly most: number;
}

/** The checksums are not looked at: a record batch has its own. */
function blocksOf(frame: Buffer): readonly Block[] {
  const flags = frame.readUInt8(4);
  if (frame.readUInt32LE(0) !== magic || (flags & flag.version) !== flag.ours)
    throw new RangeError('it is no LZ4 frame');
  if ((flags & flag.dictionary) !== 0) throw new RangeError('it needs a dictionary');
  const mostOfBlock = 2 ** (8 + 2 * ((frame.readUInt8(5) >> 4) & 7));
  const checksum = (flags & flag.blockChecksum) === 0 ? 0 : 4;
  const blocks: Block[] = [];
  let left = mostBytes;
  let at = (flags & flag.contentSize) === 0 ? 7 : 15;
  for (let size = frame.readUInt32LE(at); size !== 0; size = frame.readUInt32LE(at)) {
    const isCompressed = size < isPlain;
    const length = isCompressed ? size : size - isPlain;
    const bytes = frame.subarray(at + 4, at + 4 + length);
    const most = isCompressed ? Math.min(mostOfBlock, bestRatio * length) : length;
    left -= most;
    if (bytes.length < length || left < 0) throw new RangeError('it is cut off, or too large');
    blocks.push({ bytes, isCompressed, most });
    at += 4 + length + checksum;
  }
  return blocks;
}
