import { within } from './bounded.ts';
import { type Capabilities, defineCapabilities } from './capabilities.ts';
import {
  checkArray,
  checkCount,
  checkFunction,
  checkMs,
  checkOptions,
  checkPosition,
  checkWaiting,
  describe,
  checkClock,
} from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import type { LeasedEvent, QueueDriver, ReturnedLease } from './driver.ts';
import { callDriver, sizeOf, wrapDeadLetters, wrapDriverError, wrongLeaseAnswer } from './driver-calls.ts';
import { type DeliveryOwner, DriverDelivery } from './driver-delivery.ts';
import { NqError } from './errors.ts';
import { createEvent, type EventInput } from './event.ts';
import { goneWith } from './gone-with.ts';
import { deliveriesOf } from './iterate.ts';
import { PassingMap } from './passing-map.ts';
import { type LeaseOwner, PopLine } from './pop-line.ts';
import { PushLanes } from './push-lanes.ts';
import type {
  CloseOptions,
  CloseReport,
  DeadLetters,
  Delivery,
  MessageQueue,
  QueueSize,
  RewindPosition,
  WaitOptions,
} from './queue.ts';
import { SettleLine } from './settle-line.ts';
import { Ticker } from './ticker.ts';
import { noDeadLetters, unsupported } from './unsupported.ts';
import { done, type WaitingLine, WaitLimits } from './waiting.ts';

/** How a queue is made of a driver. */
export interface CreateQueueOptions {
  /** Where time and chance come from. @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * A full {@link MessageQueue} on a driver: waiting, deadlines, abort, settling once, gathering calls into requests, and
 * draining are done here, once for every backend. The queue owns the driver and closes it.
 *
 * A call with `timeoutMs: 0` does not wait for room or for an event, but for the answer to its request: for a second at the
 * most, or per 500 events. Then a pop has taken nothing, and what the driver still brings is given back; a push rejects
 * `NQ_OUTCOME_UNKNOWN`, or `NQ_UNAVAILABLE` if it was not sent, because a request before it has no answer either.
 *
 * @throws {TypeError} {RangeError} if the driver lacks what its capabilities declare.
 */
export function createQueue<Data = unknown, Encoded = unknown>(
  driver: QueueDriver<Encoded>,
  options: CreateQueueOptions = {},
): MessageQueue<Data> {
  checkOptions('Cannot create a queue', options, ['clock']);
  const { clock = systemClock } = options;
  checkClock('Cannot create a queue', clock);
  return new DriverQueue<Data>(driver as QueueDriver, clock);
}

/** How long each step of `close()` may take when the backend does not answer, in milliseconds. */
const closeStepMs = 1000;

class DriverQueue<Data> implements MessageQueue<Data>, DeliveryOwner, LeaseOwner {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  readonly deadLetters: DeadLetters;
  readonly #driver: QueueDriver;
  readonly #clock: Clock;
  readonly #pushes: PushLanes;
  readonly #pops: PopLine;
  readonly #acks: SettleLine<unknown>;
  readonly #nacks: SettleLine<ReturnedLease>;
  readonly #limits: WaitLimits;
  readonly #open = new PassingMap<unknown, DriverDelivery>();
  /** Times the leases, if they have an end and the driver does not watch them itself. */
  readonly #ticker: Ticker | undefined;
  #closing: Promise<CloseReport> | undefined;
  #closed = false;
  #onSettled: (() => void) | undefined;

  constructor(driver: QueueDriver, clock: Clock) {
    checkDriver(driver);
    this.capabilities = defineCapabilities(driver.capabilities);
    this.capacity = driver.capacity;
    this.#driver = driver;
    this.#clock = clock;
    const limits = (): WaitLimits => this.#limits;
    this.#pops = new PopLine(driver, clock, limits, this);
    const lines: WaitingLine<any, any>[] = [this.#pops.line]; // oxlint-disable-line no-explicit-any -- of several kinds
    this.#pushes = new PushLanes({
      driver,
      clock,
      limits,
      onStored: () => this.#pops.arrived(),
      onLine: (line) => lines.push(line),
    });
    this.#limits = new WaitLimits(clock, lines);
    this.#acks = new SettleLine(driver, 'ack', (receipts) => driver.ack(receipts));
    this.#nacks = new SettleLine(driver, 'nack', (returns) => driver.nack(returns));
    const { deadLetter, lease } = this.capabilities;
    const letters = deadLetter ? driver.deadLetters : undefined;
    const refuse = (verb: string): void => this.#refuseIfClosed(verb);
    this.deadLetters = letters ? wrapDeadLetters(driver, letters, refuse) : noDeadLetters;
    if (driver.onLeaseLost !== undefined)
      driver.onLeaseLost((receipt) => this.#open.get(receipt)?.end('NQ_LEASE_LOST'));
    else if (lease !== false) this.#ticker = new Ticker(clock, lease.ms, false, () => this.#expire());
  }

  push(input: EventInput<Data>, options: WaitOptions = {}): Promise<void> {
    try {
      // The event first: who writes push(type, data) is not to be told of options.
      const complete = createEvent(input, this.#clock);
      checkWaiting('Cannot push', options);
      return this.#store([this.#driver.encode(complete)], false, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async pushMany(inputs: readonly EventInput<Data>[], options: WaitOptions = {}): Promise<void> {
    // The events first, as above.
    checkArray('Cannot push', 'events', inputs);
    checkWaiting('Cannot push', options);
    const events = Array.from(inputs, (input) => this.#driver.encode(createEvent(input, this.#clock)));
    await this.#store(events, true, options);
  }

  #store(events: readonly unknown[], many: boolean, options: WaitOptions): Promise<void> {
    options.signal?.throwIfAborted();
    this.#refuseIfClosing('push');
    return events.length === 0 ? done : this.#pushes.push(events, many, options);
  }

  async pop(options: WaitOptions = {}): Promise<Delivery<Data> | undefined> {
    return (await this.#take(1, options))[0];
  }

  async popMany(max: number, options: WaitOptions = {}): Promise<readonly Delivery<Data>[]> {
    return this.#take(max, options);
  }

  #take(max: number, options: WaitOptions): Promise<readonly DriverDelivery<Data>[]> {
    checkWaiting('Cannot pop', options);
    checkCount('Cannot pop', 'max', max, 1, Infinity);
    options.signal?.throwIfAborted();
    this.#refuseIfClosing('pop');
    return this.#pops.pop(max, options) as Promise<readonly DriverDelivery<Data>[]>;
  }

  async size(): Promise<QueueSize> {
    this.#refuseIfClosed('count');
    return sizeOf(this.#driver);
  }

  async rewind(position: RewindPosition): Promise<void> {
    const { rewind } = this.#driver;
    if (!this.capabilities.replay || rewind === undefined) throw unsupported('rewind', 'replay');
    const checked = checkPosition('Cannot rewind', position);
    this.#refuseIfClosing('rewind');
    try {
      await rewind.call(this.#driver, checked);
    } catch (error) {
      // Whether a position is one, only the driver can tell.
      throw error instanceof RangeError ? error : wrapDriverError(this.#driver, 'rewind', error);
    }
  }

  close(options: CloseOptions = {}): Promise<CloseReport> {
    try {
      checkOptions('Cannot close', options, ['drainMs']);
      const { drainMs = 0 } = options;
      checkMs('Cannot close', 'drainMs', drainMs);
      if (this.#closing !== undefined) return this.#closing;
      let answer!: (report: Promise<CloseReport>) => void;
      // Set before anything happens: whoever hears of it, and closes too, must find it closing.
      this.#closing = new Promise((resolve) => {
        answer = resolve;
      });
      answer(this.#close(drainMs));
      return this.#closing;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery<Data>> {
    return deliveriesOf<Data>(this);
  }

  // --- what deliveries ask for

  acknowledge(delivery: DriverDelivery): void {
    this.#acks.add(delivery.receipt, delivery);
  }

  giveBack(delivery: DriverDelivery, back: ReturnedLease): void {
    const { nackDelay, deadLetter } = this.capabilities;
    if (back.delayMs > 0 && !nackDelay) delivery.failed(unsupported('nack with delayMs', 'nackDelay'));
    else if (back.deadLetter && !deadLetter) delivery.failed(unsupported('nack with deadLetter', 'deadLetter'));
    else this.#nacks.add(back, delivery);
  }

  async extend(receipt: unknown, ms: number): Promise<boolean> {
    const { lease } = this.capabilities;
    const { extend } = this.#driver;
    if (lease === false || !lease.extend || extend === undefined) throw unsupported('extend', 'lease.extend');
    const answer: unknown = await callDriver(this.#driver, 'extend', () => extend.call(this.#driver, [receipt], ms));
    const ours: unknown = Array.isArray(answer) && answer.length === 1 ? answer[0] : undefined;
    if (typeof ours !== 'boolean') throw wrongLeaseAnswer('extend', 1, answer);
    const delivery = this.#open.get(receipt);
    if (ours && delivery !== undefined && this.#ticker !== undefined) {
      delivery.expiresAt = this.#ticker.deadlineIn(ms);
    }
    return ours;
  }

  now(): number {
    return this.#clock.now();
  }

  closed(delivery: DriverDelivery): void {
    if (this.#open.get(delivery.receipt) === delivery) this.#open.delete(delivery.receipt);
    this.#onSettled?.();
  }

  // --- what the line of pops asks for

  handOut(lease: LeasedEvent): DriverDelivery {
    const delivery = new DriverDelivery(this, lease);
    this.#open.set(lease.receipt, delivery);
    if (this.#ticker !== undefined) delivery.expiresAt = this.#ticker.deadline();
    // What was popped leaves room for what waits to be pushed.
    this.#pushes.roomFreed();
    return delivery;
  }

  giveBackUnused(leases: readonly LeasedEvent[]): void {
    for (const { receipt } of leases) void this.#return({ receipt, unused: true });
  }

  /** @returns whether the event went back. */
  #return(back: Pick<ReturnedLease, 'receipt' | 'unused'>): Promise<boolean> {
    return this.#nacks.settle({ delayMs: 0, reason: '', deadLetter: false, ...back }).catch(() => false);
  }

  #expire(): boolean {
    const { tick } = this.#ticker as Ticker;
    for (const delivery of this.#open.values()) if (delivery.expiresAt <= tick) delivery.end('NQ_LEASE_LOST');
    return this.#open.size > 0;
  }

  // --- closing

  async #close(drainMs: number): Promise<CloseReport> {
    this.#pushes.close();
    this.#pops.close();
    this.#limits.close();
    if (drainMs > 0 && this.#open.size > 0) await this.#settled(drainMs);
    const unsettled = this.#openDeliveries().filter(({ isSettling }) => !isSettling);
    const first = this.#returnAll(unsettled);
    // A settlement that came before is not contradicted: it has its time, as have the other requests under way.
    await within(this.#idle(), closeStepMs, undefined, this.#clock);
    // Those whose settlement failed, or has no answer.
    const rest = this.#openDeliveries();
    const second = this.#returnAll(rest);
    if (rest.length > 0) await within(second, closeStepMs, 0, this.#clock);
    this.#acks.close();
    this.#nacks.close();
    const returned = (await first) + (await second);
    const { events, deadLetters = 0 } = await goneWith(this, closeStepMs, this.#clock);
    this.#closed = true;
    this.#ticker?.stop();
    const driverClosed = callDriver(this.#driver, 'close', () => this.#driver.close()).catch(() => {});
    await within(driverClosed, closeStepMs, undefined, this.#clock);
    const lost = unsettled.length + rest.length - returned;
    // What was given back to a backend that is gone by now is among what is gone with it.
    return Object.freeze(
      events === undefined
        ? { returned, abandoned: lost, deadLetters }
        : { returned: 0, abandoned: lost + events, deadLetters },
    );
  }

  #openDeliveries(): DriverDelivery[] {
    return [...this.#open.values()];
  }

  /** Resolves how many of `deliveries` went back. They are no longer open. */
  async #returnAll(deliveries: readonly DriverDelivery[]): Promise<number> {
    const answers = deliveries.map(({ receipt }) => this.#return({ receipt }));
    for (const delivery of deliveries) delivery.end('NQ_CLOSED');
    return (await Promise.all(answers)).filter((ours) => ours).length;
  }

  /** Resolves once no request is under way: of pops last but one, for what they bring too late is given back. */
  async #idle(): Promise<void> {
    await Promise.all([this.#pushes.idle(), this.#pops.idle(), this.#acks.idle()]);
    await this.#nacks.idle();
  }

  /** Resolves once no delivery is open, or after `drainMs`. */
  #settled(drainMs: number): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = () => {
        if (this.#open.size === 0) resolve();
      };
    });
    return within(settled, drainMs, undefined, this.#clock);
  }

  #refuseIfClosing(verb: string): void {
    if (this.#closing !== undefined) throw new NqError('NQ_CLOSED', `Cannot ${verb}: the queue is closed`);
  }

  #refuseIfClosed(verb: string): void {
    if (this.#closed) throw new NqError('NQ_CLOSED', `Cannot ${verb}: the queue is closed`);
  }
}

function checkDriver(driver: QueueDriver): void {
  const action = 'Cannot create a queue';
  if (typeof driver !== 'object' || driver === null) {
    throw new TypeError(`${action}: expected a QueueDriver, got ${describe(driver)}`);
  }
  for (const name of ['encode', 'push', 'pop', 'ack', 'nack', 'size', 'classify', 'close'] as const) {
    checkFunction(action, `driver.${name}`, driver[name]);
  }
  checkCount(action, 'driver.capacity', driver.capacity, 0, Infinity);
  const { capabilities } = driver;
  if (typeof capabilities !== 'object' || capabilities === null || Array.isArray(capabilities)) {
    throw new TypeError(`${action}: driver.capabilities must be an object, got ${describe(capabilities)}`);
  }
  if (driver.settlesAtOnce !== undefined) {
    checkCount(action, 'driver.settlesAtOnce', driver.settlesAtOnce, 1, Infinity);
  }
  if (driver.explain !== undefined) checkFunction(action, 'driver.explain', driver.explain);
  if (capabilities.replay) checkFunction(action, 'driver.rewind', driver.rewind);
  if (capabilities.lease && capabilities.lease.extend) checkFunction(action, 'driver.extend', driver.extend);
  if (!capabilities.deadLetter) return;
  const { deadLetters } = driver;
  if (deadLetters === undefined || deadLetters === null) {
    throw new TypeError(`${action}: driver.deadLetters must be there, for capabilities.deadLetter is true`);
  }
  for (const name of ['count', 'list', 'replay', 'remove'] as const) {
    checkFunction(action, `driver.deadLetters.${name}`, deadLetters[name]);
  }
}
