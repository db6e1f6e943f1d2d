import { createReadStream, fstatSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { WriteStream } from 'node:fs';
import { Failure, reasonOf } from './failure.ts';
import { readLines } from './lines.ts';
import type { EventRecord, ReportRecord } from './record.ts';

/** A file with one line for each event that was handled. */
export class AuditLog {
  readonly path: string;
  readonly #stream: WriteStream;
  readonly #isFile: boolean;
  #appended = 0;

  private constructor(path: string, handle: FileHandle, isFile: boolean) {
    this.path = path;
    this.#isFile = isFile;
    this.#stream = handle.createWriteStream();
    // Whoever appends is told by a rejection; without a listener the process would end besides.
    this.#stream.on('error', () => {});
  }

  /** Opens the file at `path`, and empties it. @throws {Failure} if that cannot be. */
  static async open(path: string): Promise<AuditLog> {
    try {
      const handle = await open(path, 'w');
      return new AuditLog(path, handle, (await handle.stat()).isFile());
    } catch (error) {
      throw new Failure(`Cannot write the audit log ${path}: ${reasonOf(error)}`, 1, error);
    }
  }

  /** Adds a line. Resolves once the system has it, so that no event is acknowledged before. @throws {Failure} */
  append(record: EventRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(`${JSON.stringify(record)}\n`, (error) => {
        if (error) {
          reject(new Failure(`Cannot write the audit log ${this.path}: ${reasonOf(error)}`, 1, error));
          return;
        }
        this.#appended++;
        resolve();
      });
    });
  }

  /** Closes the file. @returns how many lines are in it, counted in the file itself where it can be read again. */
  async close(): Promise<number> {
    if (!this.#stream.destroyed) await new Promise<void>((resolve) => this.#stream.end(resolve));
    return this.#isFile ? countLines(this.path) : this.#appended;
  }
}

/**
 * The records in the file at `path`. A last line that was cut off is none: its writer was killed before it could say so, and
 * the event was not acknowledged.
 */
export async function* readAuditLog(path: string): AsyncGenerator<EventRecord | ReportRecord, void, void> {
  // Whatever else is there cannot be read again, or has no end.
  if (!(await stat(path)).isFile()) return;
  for await (const line of readLines(createReadStream(path) as AsyncIterable<Uint8Array>)) {
    const record = 'text' in line ? parseRecord(line.text) : undefined;
    if (record !== undefined) yield record;
  }
}

function parseRecord(text: string): EventRecord | undefined {
  try {
    return JSON.parse(text) as EventRecord;
  } catch {
    return undefined;
  }
}

async function countLines(path: string): Promise<number> {
  let lines = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    for (const byte of chunk) if (byte === 0x0a) lines++;
  }
  return lines;
}

/** @throws {Failure} if the audit log at `path` is the file of the input, by whatever name. */
export async function refuseInput(path: string, input: string): Promise<void> {
  if (await isInput(path, input)) throw new Failure(`Cannot write the audit log over the input ${path}`, 2);
}

/** Whether the file at `path` is the one that is read: symbolic and hard links, and a redirected standard input, too. */
async function isInput(path: string, input: string): Promise<boolean> {
  try {
    // Some file systems number their files beyond what a double holds.
    const options = { bigint: true } as const;
    const one = await stat(path, options);
    // 0 is standard input. Asking `process.stdin` would begin to read it.
    const two = input === '-' ? fstatSync(0, options) : await stat(input, options);
    return one.isFile() && one.ino === two.ino && one.dev === two.dev;
  } catch {
    // One of them does not exist, or standard input is closed.
    return false;
  }
}
