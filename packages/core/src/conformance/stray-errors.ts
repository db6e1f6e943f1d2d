/** How an error reaches the process when it has reached nobody else. */
type Way = 'unhandledRejection' | 'uncaughtException';

type Listener = (...values: unknown[]) => void;

/** What has come, by its way. */
type Seen = Readonly<Record<Way, unknown[]>>;

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

/** What those have seen who look at this moment: several runs of one process may. */
const looking = new Set<Seen>();

/** Lets those be told again who were told before the first one looked. */
let giveBack = (): void => {};

/**
 * Rejections that nobody handles, and exceptions that nobody catches, while the queue is at work. They are the queue's, for
 * the kit handles its own; so nobody else is told of them meanwhile: a test runner does not blame its own test, and the
 * process goes on. Where several look at once, each sees all of them, for nobody knows whose they are.
 */
export class StrayErrors {
  readonly #seen: Seen = { uncaughtException: [], unhandledRejection: [] };

  constructor() {
    if (looking.size === 0) giveBack = takeOver();
    looking.add(this.#seen);
  }

  /** Lets others be told again, unless somebody else looks still. @returns what was seen, if anything was: exceptions before rejections. */
  async end(): Promise<SeenStrays | undefined> {
    // Node.js tells of rejections at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    if (looking.delete(this.#seen) && looking.size === 0) giveBack();
    const way = ways.find((one) => this.#seen[one].length > 0);
    return way === undefined
      ? undefined
      : { text: `${this.#seen[way].length} ${words[way]}`, first: this.#seen[way][0] };
  }
}

/** Has those told who look, and nobody else. @returns what undoes it. */
function takeOver(): () => void {
  const taken = ways.map((way) => {
    // As they were added, so that who wants to be told once is.
    const others = process.rawListeners(way) as Listener[];
    const listener = (error: unknown): void => looking.forEach((seen) => seen[way].push(error));
    process.removeAllListeners(way);
    process.on(way, listener);
    return { way, others, listener };
  });
  return () => {
    for (const { way, others, listener } of taken) {
      process.removeListener(way, listener);
      for (const other of others) process.on(way, other);
    }
  };
}
