import type { QueueDriver } from './driver.ts';
import { wrapDriverError, wrongLeaseAnswer } from './driver-calls.ts';
import { NqError } from './errors.ts';
import { Pace } from './pace.ts';

interface Call<Item> {
  readonly item: Item;
  readonly resolve: (ours: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** The most settlements in one request, as with pushes: no driver must split. */
const largestBatch = 500;

/** Settlements of one kind. One request is under way at a time; what comes meanwhile goes together with the next one. */
export class SettleLine<Item> {
  readonly #driver: QueueDriver;
  readonly #verb: 'ack' | 'nack';
  readonly #settle: (items: readonly Item[]) => Promise<readonly boolean[]>;
  #waiting: Call<Item>[] = [];
  #sent: Call<Item>[] = [];
  /** Ends when nothing waits and no request is under way. */
  #flush: Promise<void> | undefined;
  readonly #pace = new Pace();
  #closed = false;

  constructor(
    driver: QueueDriver,
    verb: 'ack' | 'nack',
    settle: (items: readonly Item[]) => Promise<readonly boolean[]>,
  ) {
    this.#driver = driver;
    this.#verb = verb;
    this.#settle = settle;
  }

  /** @returns whether the lease was still ours. */
  add(item: Item): Promise<boolean> {
    if (this.#closed) return Promise.reject(this.#refusal());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#flush ??= new Promise((flushed) => {
        this.#pace.soon(() => void this.#sendAll().then(flushed));
      });
    });
  }

  /** Resolves once every settlement so far has its answer: never, if the backend does not answer. */
  async idle(): Promise<void> {
    await this.#flush;
  }

  /** Releases every call that has no answer yet. */
  close(): void {
    this.#closed = true;
    const unknown = new NqError('NQ_OUTCOME_UNKNOWN', `Cannot ${this.#verb}: the backend has not answered in time`);
    for (const call of this.#sent) call.reject(unknown);
    for (const call of this.#waiting) call.reject(this.#refusal());
    this.#waiting = [];
  }

  #refusal(): NqError {
    return new NqError('NQ_CLOSED', `Cannot ${this.#verb}: the queue was closed meanwhile`);
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closed) {
      this.#sent = this.#waiting.splice(0, largestBatch);
      this.#pace.count(this.#sent.length);
      await this.#send(this.#sent);
      this.#sent = [];
      if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#pace.soon(resolve));
    }
    this.#flush = undefined;
  }

  async #send(calls: readonly Call<Item>[]): Promise<void> {
    try {
      const ours: unknown = await this.#settle(calls.map(({ item }) => item));
      if (!Array.isArray(ours) || ours.length !== calls.length) throw wrongLeaseAnswer(this.#verb, calls.length, ours);
      for (let index = 0; index < calls.length; index++) {
        const call = calls[index] as Call<Item>;
        const one: unknown = ours[index];
        if (typeof one === 'boolean') call.resolve(one);
        else call.reject(wrongLeaseAnswer(this.#verb, calls.length, ours));
      }
    } catch (error) {
      const wrapped = wrapDriverError(this.#driver, this.#verb, error);
      for (const call of calls) call.reject(wrapped);
    }
  }
}
