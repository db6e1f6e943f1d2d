import { type Codec, mostBytes, refuseMissing } from './codec.ts';
import { checkBlock } from './snappy-block.ts';

/** What is in front of blocks as the client of Java frames them: a magic number, and two versions. */
const frameMagic = Buffer.from('82534e4150505900', 'hex');
const frameHead = 16;

/** Snappy: one block when we write it; one block, or the frames of Java, when we read it. */
export async function loadSnappy(): Promise<Codec> {
  const { default: snappy } = await import('snappyjs').catch((error: unknown) =>
    refuseMissing('snappy', 'snappyjs', error),
  );
  const unpack = (block: Buffer, left: number): Buffer => {
    checkBlock(block, left);
    return snappy.uncompress(block);
  };
  return {
    compress: async (plain) => snappy.compress(plain),
    decompress: async (compressed) => {
      if (!compressed.subarray(0, frameMagic.length).equals(frameMagic)) return unpack(compressed, mostBytes);
      const blocks: Buffer[] = [];
      let left = mostBytes;
      for (let at = frameHead; at < compressed.length;) {
        const start = at + 4;
        at = start + compressed.readUInt32BE(at);
        if (at > compressed.length) throw new RangeError('a block is cut off');
        const block = unpack(compressed.subarray(start, at), left);
        left -= block.length;
        blocks.push(block);
      }
      return Buffer.concat(blocks);
    },
  };
}
