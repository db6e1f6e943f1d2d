import {
  type Capabilities,
  type CloseOptions,
  type CloseReport,
  type Clock,
  createEvent,
  type DeadLetters,
  type Delivery,
  type EventInput,
  isNqError,
  NqError,
  type QueueSize,
  type SynchronousQueue,
  type WaitOptions,
} from '@nq/core';
import {
  checkArray,
  checkCount,
  checkFunction,
  checkMs,
  checkOptions,
  deliveriesOf,
  done,
  noDeadLetters,
  unsupported,
  WaitingCheck,
} from '@nq/core/parts';
import { Channel, type PopResult } from './channel.ts';
import { type ChannelCodec, CopyCodec, ReferenceCodec, type Stored } from './channel-codec.ts';
import { capabilitiesOf, type ChannelOptions, type ResolvedChannelOptions, resolveOptions } from './channel-options.ts';

/**
 * A bounded queue in this process, first in, first out. Makes a new, empty one at each call.
 *
 * @throws {TypeError} if an option is unknown or of the wrong type. @throws {RangeError} if it is out of range.
 */
export function channelQueue<Data = unknown>(options: ChannelOptions = {}): SynchronousQueue<Data> {
  return new ChannelQueue<Data>(resolveOptions(options));
}

/** The public side of a channel: checks what it is given and tells what went wrong. */
class ChannelQueue<Data> implements SynchronousQueue<Data> {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  readonly deadLetters: DeadLetters;
  readonly #channel: Channel<Data>;
  readonly #codec: ChannelCodec<Data>;
  readonly #clock: Clock;
  readonly #check = new WaitingCheck();
  #closing: Promise<CloseReport> | undefined;
  #closed = false;

  constructor(options: ResolvedChannelOptions) {
    this.capabilities = capabilitiesOf(options);
    this.capacity = options.capacity;
    this.#clock = options.clock;
    this.#codec = options.isolation === 'copy' ? new CopyCodec(options.maxPayloadBytes) : new ReferenceCodec();
    this.#channel = new Channel(options, this.#codec);
    this.deadLetters = this.capabilities.deadLetter ? this.#channel.deadLetters : noDeadLetters;
  }

  push(event: EventInput<Data>, options?: WaitOptions): Promise<void> {
    return this.offer(event, options) ?? done;
  }

  offer(event: EventInput<Data>, options?: WaitOptions): Promise<void> | undefined {
    try {
      if (options !== undefined) this.#begin('Cannot push', options);
      else this.#refuseIfClosing('Cannot push');
      const stored = this.#codec.encode(createEvent(event, this.#clock));
      return this.#channel.tryPush(stored) ? undefined : this.#waitForRoom(stored, options);
    } catch (error) {
      return Promise.reject(this.#refusal(error, event));
    }
  }

  pushMany(events: readonly EventInput<Data>[], options: WaitOptions = {}): Promise<void> {
    try {
      checkArray('Cannot push', 'events', events);
      this.#begin('Cannot push', options);
      const stored = Array.from(events, (event) => this.#codec.encode(createEvent(event, this.#clock)));
      let count = 0;
      while (count < stored.length && this.#channel.tryPush(stored[count] as Stored<Data>)) count++;
      return count === stored.length ? done : this.#pushRest(stored, count, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  pop(options?: WaitOptions): Promise<PopResult<Data>> {
    try {
      if (options !== undefined) this.#begin('Cannot pop', options);
      else this.#refuseIfClosing('Cannot pop');
      const delivery = this.#channel.tryPop();
      if (delivery !== undefined || options?.timeoutMs === 0) return Promise.resolve(delivery);
      return this.#channel.waitForEvent(options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async popMany(max: number, options: WaitOptions = {}): Promise<readonly Delivery<Data>[]> {
    checkCount('Cannot pop', 'max', max, 1, Infinity);
    const deliveries: Delivery<Data>[] = [];
    let delivery = await this.pop(options);
    while (delivery !== undefined) {
      deliveries.push(delivery);
      delivery = deliveries.length < max ? this.tryPop() : undefined;
    }
    return deliveries;
  }

  tryPop(): PopResult<Data> {
    return this.#closing === undefined ? this.#channel.tryPop() : undefined;
  }

  onReady(listener: () => void): () => void {
    checkFunction('Cannot listen', 'listener', listener);
    return this.#channel.onReady(listener);
  }

  async size(): Promise<QueueSize> {
    if (this.#closed) throw closed('Cannot count');
    return this.#channel.size();
  }

  async rewind(): Promise<void> {
    throw unsupported('rewind', 'replay');
  }

  close(options: CloseOptions = {}): Promise<CloseReport> {
    try {
      checkOptions('Cannot close', options, ['drainMs']);
      const { drainMs = 0 } = options;
      checkMs('Cannot close', 'drainMs', drainMs);
      this.#closing ??= this.#close(drainMs);
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

  /** What every call with options starts with. @throws as the call is to reject. */
  #begin(action: string, options: WaitOptions): void {
    this.#check.begin(action, options);
    this.#refuseIfClosing(action);
  }

  /**
   * What a push of `event` is refused with for `error`. Who writes push(type, data) is not to be told of options: they are
   * looked at first, because that costs less, but the event is spoken of first.
   */
  #refusal(error: unknown, event: EventInput<Data>): unknown {
    if (!(error instanceof TypeError || error instanceof RangeError)) return error;
    try {
      createEvent(event, this.#clock);
      return error;
    } catch (wrongEvent) {
      return wrongEvent;
    }
  }

  #refuseIfClosing(action: string): void {
    if (this.#closing !== undefined) throw closed(action);
  }

  #waitForRoom(stored: Stored<Data>, options: WaitOptions | undefined): Promise<void> {
    if (options?.timeoutMs === 0) throw new NqError('NQ_FULL', `Cannot push: all ${this.capacity} places are taken`);
    return this.#channel.waitForRoom(stored, options);
  }

  /** Stores the events from number `count` on, one after the other, within one time limit for all of them. */
  async #pushRest(stored: readonly Stored<Data>[], count: number, { signal, timeoutMs = Infinity }: WaitOptions) {
    const deadline = this.#clock.now() + timeoutMs;
    for (let index = count; index < stored.length; index++) {
      const left = timeoutMs === Infinity ? Infinity : Math.max(0, deadline - this.#clock.now());
      // Between two events nobody else listens.
      signal?.throwIfAborted();
      try {
        this.#refuseIfClosing('Cannot push');
        const one = stored[index] as Stored<Data>;
        if (this.#channel.tryPush(one)) continue;
        if (left === 0 && timeoutMs > 0) throw this.#channel.timedOut();
        await this.#waitForRoom(one, { signal, timeoutMs: left });
      } catch (error) {
        if (!isNqError(error) || error === signal?.reason) throw error;
        throw new NqError(error.code, `${error.message}; ${index} of ${stored.length} events are stored`, {
          stored: index,
        });
      }
    }
  }

  async #close(drainMs: number): Promise<CloseReport> {
    this.#channel.releaseWaiting(closed);
    await this.#channel.settled(drainMs);
    const { open, kept, dead } = this.#channel.end();
    this.#closed = true;
    // What was open went back to a queue that is gone: nobody will hand it out again.
    return Object.freeze({ returned: 0, abandoned: kept + open, deadLetters: dead });
  }
}

function closed(action: string): NqError {
  return new NqError('NQ_CLOSED', `${action}: the channel is closed`);
}
