import { type Capabilities, defineCapabilities } from '../capabilities.ts';
import { checkCount, checkMs, checkOptions, checkClock } from '../check.ts';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { decodeEvent, encodeEvent } from '../cloudevents.ts';
import type { LeasedEvent, QueueDriver, ReturnedLease } from '../driver.ts';
import { isNqError, type NqErrorCode } from '../errors.ts';
import { newEventId, type QueueEvent } from '../event.ts';
import type { DeadLetter, DeadLetters, QueueSize } from '../queue.ts';

/** How a driver in memory is made. */
export interface MemoryDriverOptions {
  /** How many ready and delayed events it takes. @default 1000 */
  readonly capacity?: number | undefined;
  /** How long a lease is, in milliseconds. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** The largest event, in bytes. @default 1_048_576 */
  readonly maxPayloadBytes?: number | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** The type under which a record that is no event is shown among the dead letters. */
const undecodableType = 'nq.undecodable';

interface Entry {
  readonly text: string;
  /** Its place in the order of the pushes, which it keeps when it comes back. */
  readonly order: number;
  readonly pushedAt: number;
  attempts: number;
}

interface Held {
  readonly entry: Entry;
  readonly token: number;
  expiresAt: number;
}

/** The first `count` of `entries`, and the rest, in order. */
function split(entries: readonly Entry[], count: number): [Entry[], Entry[]] {
  return [entries.slice(0, count), entries.slice(count)];
}

/**
 * A driver whose backend is an array: plain on purpose, to be read and to be tested against. With a virtual clock, leases
 * and delays end when the test says so.
 */
export function memoryDriver(options: MemoryDriverOptions = {}): QueueDriver<string> {
  const action = 'Cannot make a memory driver';
  checkOptions(action, options, ['capacity', 'leaseMs', 'maxPayloadBytes', 'clock']);
  const { capacity = 1000, leaseMs = 30_000, maxPayloadBytes = 1_048_576, clock = systemClock } = options;
  checkCount(action, 'capacity', capacity, 1, Infinity);
  checkClock(action, clock);
  checkMs(action, 'leaseMs', leaseMs, 1);
  checkCount(action, 'maxPayloadBytes', maxPayloadBytes, 1, Infinity);
  return new MemoryDriver(capacity, leaseMs, maxPayloadBytes, clock);
}

class MemoryDriver implements QueueDriver<string> {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  readonly deadLetters: DeadLetters;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  #ready: Entry[] = [];
  #delayed: { readonly entry: Entry; readonly due: number }[] = [];
  #dead: { readonly entry: Entry; readonly letter: DeadLetter }[] = [];
  readonly #held = new Map<number, Held>();
  readonly #wakes = new Set<() => void>();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #orders = 0;
  #tokens = 0;
  #closed = false;

  constructor(capacity: number, leaseMs: number, maxPayloadBytes: number, clock: Clock) {
    this.capacity = capacity;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.capabilities = defineCapabilities({
      order: 'fifo',
      strictRetry: true,
      ack: 'individual',
      nackDelay: true,
      deadLetter: true,
      lease: { ms: leaseMs, extend: true },
      capacity: capacity === Infinity ? 'none' : 'hard',
      size: 'exact',
      multiInstance: false,
      groups: false,
      durable: 'none',
      isolation: 'copy',
      definiteTimeout: true,
      fairness: true,
      replay: false,
      maxPayloadBytes,
    });
    this.deadLetters = {
      count: async () => this.#dead.length,
      list: async ({ limit = 100 } = {}) => this.#dead.slice(0, limit).map(({ letter }) => letter),
      replay: async (ids) =>
        this.#takeDead(ids, ({ entry }) => {
          this.#ready.push({ ...entry, order: this.#orders++, attempts: 0, pushedAt: clock.now() });
          this.#changed();
        }),
      remove: async (ids) => this.#takeDead(ids, () => {}),
    };
  }

  encode(event: Parameters<typeof encodeEvent>[0]): string {
    return encodeEvent(event, { maxBytes: this.capabilities.maxPayloadBytes });
  }

  async push(events: readonly string[]): Promise<number> {
    const room = Math.max(0, this.capacity - this.#ready.length - this.#delayed.length);
    const stored = events.slice(0, room);
    for (const text of stored) {
      this.#ready.push({ text, order: this.#orders++, pushedAt: this.#clock.now(), attempts: 0 });
    }
    if (stored.length > 0) this.#changed();
    return stored.length;
  }

  async pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    // Who asks again and again leaves no turn to a timer.
    if (this.#timerAt <= this.#clock.now()) this.#release();
    if (this.#ready.length === 0 && waitMs > 0) await this.#wait(waitMs, signal);
    const [taken, left] = split(this.#ready, max);
    this.#ready = left;
    const leases = taken.map((entry) => this.#lease(entry)).filter((lease) => lease !== undefined);
    this.#arm();
    return leases;
  }

  #lease(entry: Entry): LeasedEvent | undefined {
    const now = this.#clock.now();
    entry.attempts++;
    let event: QueueEvent;
    try {
      event = decodeEvent(entry.text);
    } catch {
      // It will be none at the next attempt either, and must not stop the events behind it.
      const record = { id: newEventId(), type: undecodableType, data: entry.text, time: this.#clock.date() };
      this.#bury(entry, record, 'the record is no event');
      return undefined;
    }
    const token = ++this.#tokens;
    this.#held.set(token, { entry, token, expiresAt: now + this.#leaseMs });
    return { receipt: token, event, attempt: entry.attempts, waitedMs: now - entry.pushedAt };
  }

  async ack(receipts: readonly unknown[]): Promise<readonly boolean[]> {
    return receipts.map((token) => this.#held.delete(token as number));
  }

  async nack(returns: readonly ReturnedLease[]): Promise<readonly boolean[]> {
    const answers = returns.map(({ receipt, delayMs, reason, deadLetter, unused }) => {
      const held = this.#held.get(receipt as number);
      if (held === undefined) return false;
      this.#held.delete(held.token);
      const { entry } = held;
      if (unused) entry.attempts--;
      if (deadLetter) this.#bury(entry, decodeEvent(entry.text), reason);
      else if (delayMs > 0) this.#delayed.push({ entry, due: this.#clock.now() + delayMs });
      else this.#ready.push(entry);
      return true;
    });
    this.#sort();
    return answers;
  }

  #bury(entry: Entry, event: QueueEvent, reason: string): void {
    this.#dead.push({ entry, letter: { event, attempts: entry.attempts, reason, deadAt: this.#clock.date() } });
  }

  async extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    const answers = receipts.map((token) => {
      const held = this.#held.get(token as number);
      if (held !== undefined) held.expiresAt = this.#clock.now() + ms;
      return held !== undefined;
    });
    this.#arm();
    return answers;
  }

  async size(): Promise<QueueSize> {
    const [oldest] = this.#ready;
    return {
      ready: this.#ready.length,
      inFlight: this.#held.size,
      delayed: this.#delayed.length,
      oldestAgeMs: oldest === undefined ? 0 : this.#clock.now() - oldest.pushedAt,
      exact: true,
    };
  }

  classify(error: unknown): NqErrorCode {
    return isNqError(error) ? error.code : 'NQ_BACKEND';
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#disarm();
    for (const wake of this.#wakes) wake();
  }

  #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#wakes.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.schedule(end, waitMs);
      this.#wakes.add(end);
      signal.addEventListener('abort', end);
    });
  }

  #sort(): void {
    this.#ready.sort((a, b) => a.order - b.order);
    this.#changed();
  }

  #changed(): void {
    this.#arm();
    if (this.#ready.length > 0) for (const wake of this.#wakes) wake();
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timerAt = Infinity;
  }

  /** One timer, for the delay or the lease that ends first, or sooner: one that is put off at every call never comes. */
  #arm(): void {
    const ends = [
      ...this.#delayed.map(({ due }) => due),
      ...[...this.#held.values()].map(({ expiresAt }) => expiresAt),
    ];
    const first = ends.reduce((a, b) => Math.min(a, b), Infinity);
    if (first >= this.#timerAt || this.#closed) return;
    this.#timer?.cancel();
    this.#timerAt = first;
    this.#timer = this.#clock.schedule(() => this.#release(), first - this.#clock.now(), { keepAlive: false });
  }

  #release(): void {
    this.#disarm();
    const now = this.#clock.now();
    for (const { entry, due } of this.#delayed) if (due <= now) this.#ready.push(entry);
    this.#delayed = this.#delayed.filter(({ due }) => due > now);
    for (const { entry, token, expiresAt } of this.#held.values()) {
      if (expiresAt > now) continue;
      this.#held.delete(token);
      this.#ready.push(entry);
    }
    this.#sort();
  }

  #takeDead(ids: readonly string[] | undefined, use: (dead: { readonly entry: Entry }) => void): number {
    const wanted = this.#dead.filter(({ letter }) => ids === undefined || ids.includes(letter.event.id));
    this.#dead = this.#dead.filter((dead) => !wanted.includes(dead));
    for (const dead of wanted) use(dead);
    return wanted.length;
  }
}
