import type { QueueDriver } from './driver.ts';
import { wrapDriverError, wrongLeaseAnswer } from './driver-calls.ts';
import { NqError } from './errors.ts';
import { Pace } from './pace.ts';
import { PassingMap } from './passing-map.ts';

/** Who is told what has become of a settlement: an object, for a promise and its functions cost as much as the rest. */
export interface Settler {
  /** The backend has answered, with whether the lease was still ours. */
  settled(ours: boolean): void;
  failed(error: unknown): void;
}

/** Of a class, as what waits: see `eventOf`. */
class Call<Item> {
  readonly item: Item;
  readonly settler: Settler;

  constructor(item: Item, settler: Settler) {
    this.item = item;
    this.settler = settler;
  }
}

/** The most settlements in one request, as with pushes: no driver must split. */
const largestBatch = 500;

/** Settlements of one kind. What comes while as many requests are under way as may be goes together with the next one. */
export class SettleLine<Item> {
  readonly #driver: QueueDriver;
  readonly #verb: 'ack' | 'nack';
  readonly #settle: (items: readonly Item[]) => Promise<readonly (boolean | Error)[]>;
  /** How many requests may be under way. */
  readonly #most: number;
  #waiting: Call<Item>[] = [];
  /** The requests that are under way, by their numbers. */
  readonly #sent = new PassingMap<number, readonly Call<Item>[]>();
  #requests = 0;
  /** Whether the next request goes before long. */
  #isAsked = false;
  #onIdle: (() => void)[] = [];
  readonly #pace = new Pace();
  #closed = false;

  constructor(
    driver: QueueDriver,
    verb: 'ack' | 'nack',
    settle: (items: readonly Item[]) => Promise<readonly (boolean | Error)[]>,
  ) {
    this.#driver = driver;
    this.#verb = verb;
    this.#settle = settle;
    this.#most = driver.settlesAtOnce ?? 1;
  }

  /** Settles `item`, and tells `settler`, once: at once if the line is closed. */
  add(item: Item, settler: Settler): void {
    if (this.#closed) {
      settler.failed(this.#refusal());
      return;
    }
    this.#waiting.push(new Call(item, settler));
    this.#ask();
  }

  /** Settles `item`. @returns whether the lease was still ours. */
  settle(item: Item): Promise<boolean> {
    return new Promise((settled, failed) => this.add(item, { settled, failed }));
  }

  /** Resolves once every settlement so far has its answer: never, if the backend does not answer. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Releases every call that has no answer yet. */
  close(): void {
    this.#closed = true;
    const unknown = new NqError('NQ_OUTCOME_UNKNOWN', `Cannot ${this.#verb}: the backend has not answered in time`);
    for (const sent of this.#sent.values()) for (const { settler } of sent) settler.failed(unknown);
    for (const { settler } of this.#waiting) settler.failed(this.#refusal());
    this.#waiting = [];
    if (this.#isIdle) this.#tellIdle();
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#sent.size === 0;
  }

  #refusal(): NqError {
    return new NqError('NQ_CLOSED', `Cannot ${this.#verb}: the queue was closed meanwhile`);
  }

  /** Has the next request go with everything that comes in this turn. */
  #ask(): void {
    if (this.#isAsked || this.#sent.size >= this.#most) return;
    this.#isAsked = true;
    this.#pace.soon(() => {
      this.#isAsked = false;
      this.#sendNext();
    });
  }

  #sendNext(): void {
    const calls = this.#waiting.splice(0, largestBatch);
    if (calls.length === 0) return;
    const number = this.#requests++;
    this.#sent.set(number, calls);
    this.#pace.count(calls.length);
    void this.#send(number, calls);
    if (this.#waiting.length > 0) this.#ask();
  }

  #tellIdle(): void {
    const told = this.#onIdle;
    this.#onIdle = [];
    for (const tell of told) tell();
  }

  /** Never rejects. */
  async #send(number: number, calls: readonly Call<Item>[]): Promise<void> {
    let answers: unknown;
    try {
      answers = await this.#settle(calls.map(({ item }) => item));
      if (!Array.isArray(answers) || answers.length !== calls.length)
        throw wrongLeaseAnswer(this.#verb, calls.length, answers);
    } catch (error) {
      const wrapped = wrapDriverError(this.#driver, this.#verb, error);
      answers = Array.from(calls, () => wrapped);
    }
    // They were told when it was closed.
    if (!this.#closed) this.#tell(calls, answers as readonly unknown[]);
    this.#sent.delete(number);
    if (this.#waiting.length > 0) this.#ask();
    else if (this.#isIdle) this.#tellIdle();
  }

  #tell(calls: readonly Call<Item>[], answers: readonly unknown[]): void {
    for (let index = 0; index < calls.length; index++) {
      const { settler } = calls[index] as Call<Item>;
      const one = answers[index];
      if (typeof one === 'boolean') settler.settled(one);
      else if (one instanceof Error) settler.failed(wrapDriverError(this.#driver, this.#verb, one));
      else settler.failed(wrongLeaseAnswer(this.#verb, calls.length, answers));
    }
  }
}
