import { describe, expect, test } from 'vitest';
import { type Line, longestLineBytes, readLines } from '../src/lines.ts';

async function read(...chunks: (string | Uint8Array)[]): Promise<Line[]> {
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  return all(readLines(stream()));
}

async function all(lines: AsyncIterable<Line>): Promise<Line[]> {
  const result: Line[] = [];
  for await (const one of lines) result.push(one);
  return result;
}

const line = (number: number, text: string): Line => ({ number, text });

describe('readLines()', () => {
  test('numbers lines from 1, and takes the last one also without its end', async () => {
    expect(await read('a\nb')).toEqual([line(1, 'a'), line(2, 'b')]);
  });

  test('skips empty lines, and counts them', async () => {
    expect(await read('\na\n \r\n\nb\n')).toEqual([line(2, 'a'), line(5, 'b')]);
  });

  test('takes CRLF for the end of a line', async () => {
    expect(await read('a\r\nb\r\n')).toEqual([line(1, 'a'), line(2, 'b')]);
  });

  test('leaves out a byte order mark', async () => {
    expect(await read('\u{FEFF}a\nb')).toEqual([line(1, 'a'), line(2, 'b')]);
  });

  test('puts together what comes in pieces, also the bytes of one character', async () => {
    const bytes = Buffer.from('é–\nb');
    expect(await read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual([line(1, 'é–'), line(2, 'b')]);
  });

  test('says which line is not UTF-8, and goes on', async () => {
    expect(await read('a\n', Uint8Array.of(0xc3, 0x28), '\nb')).toEqual([
      line(1, 'a'),
      { number: 2, problem: 'not UTF-8' },
      line(3, 'b'),
    ]);
  });

  test('takes a line of the longest length, and refuses one byte more', async () => {
    const longest = 'x'.repeat(longestLineBytes);
    expect(await read(`${longest}\n`, longest, 'x\nb')).toEqual([
      line(1, longest),
      { number: 2, problem: '1048577 bytes are more than the 1048576 allowed' },
      line(3, 'b'),
    ]);
  });

  test('does not keep a line that is too long in memory', async () => {
    const chunk = Buffer.alloc(longestLineBytes, 'x');
    let most = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 1000; count++) {
        yield Uint8Array.from(chunk);
        most = Math.max(most, process.memoryUsage().arrayBuffers);
      }
    }
    expect(await all(readLines(endless()))).toEqual([
      { number: 1, problem: '1048576000 bytes are more than the 1048576 allowed' },
    ]);
    // Garbage that is not collected yet takes some; all chunks together would be a thousand.
    expect(most / longestLineBytes).toBeLessThan(500);
  });
});
