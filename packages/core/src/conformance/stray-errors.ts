/** How an error reaches the process when it has reached nobody else. */
type Way = 'unhandledRejection' | 'uncaughtException';

type Listener = (...values: unknown[]) => void;

/** What is said of errors that have come so. */
const words: Readonly<Record<Way, string>> = {
  uncaughtException: 'exceptions were caught by nobody',
  unhandledRejection: 'rejections were handled by nobody',
};

const ways = Object.keys(words) as readonly Way[];

/** Errors that have reached nobody. */
export interface SeenStrays {
  /** What they are, with their number. */
  readonly text: string;
  readonly first: unknown;
}

/**
 * Rejections that nobody handles, and exceptions that nobody catches, while the queue is at work. They are the queue's, for
 * the kit handles its own; so nobody else is told of them meanwhile: a test runner does not blame its own test, and the
 * process goes on.
 */
export class StrayErrors {
  readonly #seen: Readonly<Record<Way, unknown[]>> = { uncaughtException: [], unhandledRejection: [] };
  /** Who was told before. As they were added, so that who wants to be told once is. */
  readonly #others = ways.map((way) => [way, process.rawListeners(way) as Listener[]] as const);
  readonly #listeners = ways.map((way) => [way, (error: unknown) => void this.#seen[way].push(error)] as const);

  constructor() {
    for (const [way] of this.#others) process.removeAllListeners(way);
    for (const [way, listener] of this.#listeners) process.on(way, listener);
  }

  /** Lets others be told again. @returns what was seen, if anything was: exceptions before rejections. */
  async end(): Promise<SeenStrays | undefined> {
    // Node.js tells of rejections at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    for (const [way, listener] of this.#listeners) process.removeListener(way, listener);
    for (const [way, others] of this.#others) for (const other of others) process.on(way, other);
    const way = ways.find((one) => this.#seen[one].length > 0);
    return way === undefined
      ? undefined
      : { text: `${this.#seen[way].length} ${words[way]}`, first: this.#seen[way][0] };
  }
}
