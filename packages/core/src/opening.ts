import { within } from './bounded.ts';
import type { Clock } from './clock.ts';
import type { Engine } from './engine.ts';

/** The opening of a dispatcher's queue: everybody who needs the queue waits for the same one, and `stop()` ends it. */
export class Opening {
  /** The engine of the queue; `undefined` if the opening was given up before. */
  readonly engine: Promise<Engine | undefined>;
  readonly #opened: Promise<Engine>;
  #giveUp!: () => void;

  constructor(opened: Promise<Engine>) {
    this.#opened = opened;
    const givenUp = new Promise<undefined>((resolve) => {
      this.#giveUp = () => resolve(undefined);
    });
    this.engine = Promise.race([opened, givenUp]);
  }

  /**
   * The engine, if the queue is open within `ms`. Otherwise the opening is given up: whoever waits for it is released, and
   * the queue is closed as soon as it is open.
   *
   * @param onError is told if it cannot be closed then.
   */
  async end(ms: number, clock: Clock, onError: (error: unknown) => void): Promise<Engine | undefined> {
    const opened = this.#opened.catch(() => undefined);
    const engine = await within(opened, ms, undefined, clock);
    if (engine === undefined) {
      this.#giveUp();
      void opened.then((late) => late?.queue.close()).catch(onError);
    }
    return engine;
  }
}
