/** A line of the input: its text, or why it has none. */
export type Line =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly problem: string };

/** The longest line that is kept in memory. */
export const longestLineBytes = 1_048_576;

const newline = 0x0a;

/**
 * The lines of `chunks` that are not empty, numbered from 1, empty ones included. `readline` would do, but for two
 * things: it keeps a line of any length in memory, and it turns bytes that are not UTF-8 into question marks.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, void> {
  const line = new LineBuffer();
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      line.add(chunk.subarray(start, end));
      start = end + 1;
      const whole = line.take();
      if (whole !== undefined) yield whole;
    }
    line.add(chunk.subarray(start));
  }
  const last = line.take();
  if (last !== undefined) yield last;
}

/** The bytes of one line, until they are too many. */
class LineBuffer {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #number = 0;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  add(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > longestLineBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  /** The line, and begins the next one. @returns `undefined` for an empty line. */
  take(): Line | undefined {
    const number = ++this.#number;
    const bytes = this.#bytes;
    const parts = this.#parts;
    this.#bytes = 0;
    this.#parts = [];
    if (bytes > longestLineBytes)
      return { number, problem: `${bytes} bytes are more than the ${longestLineBytes} allowed` };
    try {
      // Besides white space and the CR of CRLF, trim() removes the byte order mark that some editors put in front.
      const text = this.#decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts)).trim();
      return text === '' ? undefined : { number, text };
    } catch {
      return { number, problem: 'not UTF-8' };
    }
  }
}
