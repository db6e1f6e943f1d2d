import { describe } from '../check.ts';
import { isNqError } from '../errors.ts';

/** A call that was made and has not settled. */
interface OpenCall {
  readonly what: string;
  readonly sinceMs: number;
}

/** How many entries a journal shows: the end of a long history is where it went wrong. */
const shown = 60;

/** What happened in a trial, in the order of its happening, for people to read when it went wrong. */
export class Journal {
  readonly #entries: string[] = [];
  readonly #open = new Map<number, OpenCall>();
  /** Short names of events, because ids are long. */
  readonly #names = new Map<string, string>();
  readonly #now: () => number;
  #calls = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(entry: string): void {
    this.#entries.push(entry);
  }

  /** Gives the event `id` the name that entries show. */
  name(id: string, name: string): void {
    this.#names.set(id, name);
  }

  /** The short name of an event; its id, cut off, if it has none. */
  nameOf(id: string): string {
    return this.#names.get(id) ?? JSON.stringify(id.slice(0, 40));
  }

  knows(id: string): boolean {
    return this.#names.has(id);
  }

  /** Notes that a call begins. @returns what has to be called with its answer. */
  begin(what: string): (answer: string) => void {
    const number = this.#calls++;
    this.#open.set(number, { what, sinceMs: this.#now() });
    return (answer) => {
      this.#open.delete(number);
      this.note(`${what} → ${answer}`);
    };
  }

  /** The calls that have not settled, with the time that they have waited. */
  get open(): readonly string[] {
    return [...this.#open.values()].map(({ what, sinceMs }) => `${what}, for ${Math.round(this.#now() - sinceMs)} ms`);
  }

  /** How long the call has waited that waits longest of those that have not settled; 0 if there is none. */
  get longestWaitMs(): number {
    return Math.max(0, ...[...this.#open.values()].map(({ sinceMs }) => this.#now() - sinceMs));
  }

  get entries(): readonly string[] {
    const left = this.#entries.length - shown;
    const last = left > 0 ? [`(${left} before)`, ...this.#entries.slice(-shown)] : this.#entries;
    return [...last, ...this.open.map((call) => `${call}: still waits`)];
  }
}

/** What a call rejected with, in a few words. Never a payload: messages of nq have none, those of others are not shown. */
export function describeError(error: unknown): string {
  if (isNqError(error)) return error.code;
  try {
    if (error instanceof Error) return error.name;
  } catch {
    return 'something that cannot be looked at';
  }
  return `a thrown ${typeof error}`;
}

/** The same with its message and that of its cause, for the author of a queue: what a client library says has no event. */
export function explainError(error: Error): string {
  const { cause } = error;
  const said = `${describeError(error)}: ${error.message}`;
  return cause instanceof Error ? `${said} (cause: ${cause.name}: ${cause.message.slice(0, 300)})` : said;
}

/** What a part of the harness failed with, in a sentence of its own. */
export function messageOf(error: unknown): string {
  if (isNqError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : describe(error);
}
