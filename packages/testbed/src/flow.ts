import type { Socket } from 'node:net';

/** What a flow asks of the link that it belongs to, at each chunk. */
export interface FlowRules {
  delayMs(): number;
  /** Whether nothing is read and nothing is written now. */
  isFrozen(): boolean;
  /** Whether a chunk, or the end of the stream, goes on; asked in the order in which they arrived, when they are due. */
  passes(chunk: Buffer | undefined): boolean;
}

interface Item {
  /** `undefined` for the end of the stream. */
  readonly chunk: Buffer | undefined;
  readonly dueAt: number;
}

/** How much may be under way before reading stops, in bytes: enough for any delay, not for a leak. */
const maximumBytes = 16 * 1024 * 1024;

/** One direction of one connection through a link: bytes from `source` to `target`, in order, each after the delay. */
export class Flow {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #rules: FlowRules;
  readonly #queue: Item[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #targetIsFull = false;

  constructor(source: Socket, target: Socket, rules: FlowRules) {
    this.#source = source;
    this.#target = target;
    this.#rules = rules;
    source.on('data', (chunk) => this.#arrive(chunk));
    source.on('end', () => this.#arrive(undefined));
    target.on('drain', () => {
      this.#targetIsFull = false;
      this.update();
    });
    // Not when the source closes: its last bytes may still be under way.
    target.once('close', () => clearTimeout(this.#timer));
    this.update();
  }

  /** Does what the rules allow now: called when they have changed. */
  update(): void {
    clearTimeout(this.#timer);
    if (!this.#rules.isFrozen()) this.#send();
    const mayRead = !this.#rules.isFrozen() && !this.#targetIsFull && this.#queuedBytes < maximumBytes;
    if (mayRead) this.#source.resume();
    else this.#source.pause();
  }

  /** Sends what is under way without further delay, and then the end. */
  finish(): void {
    clearTimeout(this.#timer);
    for (const { chunk } of this.#queue.splice(0)) this.#pass(chunk);
    this.#target.end();
  }

  #arrive(chunk: Buffer | undefined): void {
    this.#queue.push({ chunk, dueAt: performance.now() + this.#rules.delayMs() });
    this.#queuedBytes += chunk?.length ?? 0;
    this.update();
  }

  /** In order: what is due waits for what came before it, also if the delay has become shorter in between. */
  #send(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0 && this.#rules.delayMs() > 0) {
        this.#timer = setTimeout(() => this.update(), waitMs);
        return;
      }
      this.#queue.shift();
      this.#pass(next.chunk);
    }
  }

  #pass(chunk: Buffer | undefined): void {
    this.#queuedBytes -= chunk?.length ?? 0;
    if (!this.#rules.passes(chunk) || !this.#target.writable) return;
    if (chunk === undefined) this.#target.end();
    else this.#targetIsFull = !this.#target.write(chunk);
  }
}
