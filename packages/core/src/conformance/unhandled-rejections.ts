/**
 * Rejections that nobody handles while the queue is at work. They are the queue's, for the kit handles its own; so nobody
 * else is told of them meanwhile: a test runner does not blame its own test, and the process goes on.
 */
export class UnhandledRejections {
  readonly #others = process.listeners('unhandledRejection');
  readonly #listener = (reason: unknown): void => void this.#reasons.push(reason);
  readonly #reasons: unknown[] = [];

  constructor() {
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', this.#listener);
  }

  /** Lets others be told again. @returns what was seen: the reasons. */
  async end(): Promise<readonly unknown[]> {
    // Node.js tells of them at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener('unhandledRejection', this.#listener);
    for (const other of this.#others) process.on('unhandledRejection', other);
    return this.#reasons;
  }
}
