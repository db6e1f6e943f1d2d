import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { Failure, reasonOf } from './failure.ts';
import { type Line, readLines } from './lines.ts';

/** Where lines come from. */
export interface Input {
  /** How many lines there are; `undefined` where that is known only at the end. */
  readonly total: number | undefined;
  /**
   * The lines, read as they are asked for.
   *
   * @throws {Failure} if reading fails. @throws `signal.reason` if it ends the reading.
   */
  lines(): AsyncGenerator<Line, void, void>;
}

/**
 * The input at `path`, or standard input for `-`. A file is read once to count its lines.
 *
 * @throws {Failure} saying why it cannot be read. @throws `signal.reason` if it ends the counting.
 */
export async function openInput(path: string, signal: AbortSignal): Promise<Input> {
  if (path === '-') return { total: undefined, lines: () => linesOf('standard input', process.stdin, signal) };
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new Failure(`Cannot read ${path}: it is a directory`);
    // A pipe can be read once only, and opening it waits for its writer.
    if (!found.isFile()) return { total: undefined, lines: () => linesOf(path, createReadStream(path), signal) };
    await (await open(path)).close();
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(`Cannot read ${path}: ${reasonOf(error)}`, 1, error);
  }
  return {
    total: await count(linesOf(path, createReadStream(path), signal)),
    lines: () => linesOf(path, createReadStream(path), signal),
  };
}

async function* linesOf(
  name: string,
  stream: NodeJS.ReadStream | ReturnType<typeof createReadStream>,
  signal: AbortSignal,
): AsyncGenerator<Line, void, void> {
  try {
    yield* readLines(addAbortSignal(signal, stream) as AsyncIterable<Uint8Array>);
  } catch (error) {
    signal.throwIfAborted();
    throw new Failure(`Cannot read ${name}: ${reasonOf(error)}`, 1, error);
  }
}

async function count(lines: AsyncIterable<Line>): Promise<number> {
  let total = 0;
  for await (const _ of lines) total++;
  return total;
}
