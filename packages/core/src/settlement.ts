import type { AckOrder } from './ack-order.ts';
import type { Clock, Timer } from './clock.ts';
import type { DispatcherCounters, ReportError } from './dispatcher-options.ts';
import { isNqError, NqError, type NqErrorCode } from './errors.ts';
import { InlineDelivery } from './inline-delivery.ts';
import type { Outcome } from './outcome.ts';
import type { Delivery, MessageQueue } from './queue.ts';
import type { RetryPlan } from './retry.ts';
import { done } from './waiting.ts';

/** What a settlement needs of its dispatcher. */
export interface SettlementParts {
  readonly queue: MessageQueue;
  readonly plan: RetryPlan;
  readonly deadLetterQueue: MessageQueue | undefined;
  /** For a queue that acknowledges cumulatively. */
  readonly ackOrder: AckOrder | undefined;
  readonly clock: Clock;
  readonly counters: DispatcherCounters;
  readonly report: ReportError;
  /** Called whenever a settlement that took time has ended. */
  readonly onSettled: () => void;
  /** Called when there is something {@link Settlement.unattended}. */
  readonly onUnattended: () => void;
}

/** How long a dead-letter queue may take to accept an event before the event is kept instead, in milliseconds. */
const deadLetterTimeoutMs = 10_000;
/** A reason is a sentence for people; a stack or a document that ended up in an error message is cut off. */
const longestReason = 500;

/** Settles deliveries as their handlers went: done, again later, or given up. */
export class Settlement {
  readonly #parts: SettlementParts;
  /** Deliveries that wait here, because their queue cannot delay, until they are given back. */
  readonly #held = new Map<Delivery, Timer>();
  /** Deliveries that are being given up, which may take as long as their dead-letter queue does. */
  readonly #buried = new Set<Delivery>();
  /** Whether the dispatcher stops: then nothing is held any more. */
  #stopping = false;
  /** How many settlements are on their way. */
  pending = 0;
  readonly #onAcknowledged = (): void => {
    this.#parts.counters.handled++;
    this.#ended();
  };

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  /** The deliveries that are ours although no worker has them: their leases have to be renewed. */
  get unattended(): readonly Delivery[] {
    return [...this.#held.keys(), ...this.#buried, ...(this.#parts.ackOrder?.waiting ?? [])];
  }

  /** Gives everything back that is held, and holds nothing from now on. @returns for each whether the queue has taken it. */
  stop(): Promise<boolean>[] {
    this.#stopping = true;
    return [...this.#held.keys()].map((delivery) => this.giveBack(delivery));
  }

  /** The handlers are done: the event is acknowledged. */
  acknowledge(delivery: Delivery): void {
    const { counters, ackOrder } = this.#parts;
    const acked = ackOrder === undefined ? delivery.ack() : ackOrder.ack(delivery);
    if (acked === done) counters.handled++;
    else {
      this.pending++;
      acked.then(this.#onAcknowledged, (error: unknown) => {
        this.#lost(error, delivery);
        this.#ended();
      });
    }
    if (ackOrder !== undefined && ackOrder.waiting.length > 0) this.#parts.onUnattended();
  }

  /** A handler failed, and no run in place is left. */
  fail(delivery: Delivery, error: unknown): void {
    if (delivery instanceof InlineDelivery) {
      delivery.refuse(reasonOf(error), error);
      return;
    }
    const { plan } = this.#parts;
    const reason = reasonOf(error);
    if (delivery.attempt >= plan.maxAttempts) this.#track(this.#bury(delivery, reason));
    else this.#retry(delivery, plan.redeliveryDelay(delivery.attempt), reason);
  }

  /** A handler said what is to become of the event. */
  follow(delivery: Delivery, outcome: Outcome): void {
    if (delivery instanceof InlineDelivery) delivery.refuse(outcome.reason);
    else if (outcome.kind === 'retry') this.#retry(delivery, outcome.delayMs, outcome.reason);
    else this.#track(this.#bury(delivery, outcome.reason));
  }

  /** No handler is registered: another process may know the type, or this one after its next release. */
  refuseUnknownType(delivery: Delivery): void {
    const { counters, report } = this.#parts;
    const { type } = delivery.event;
    const error = new NqError('NQ_NO_HANDLER', `No handler is registered for events of type ${JSON.stringify(type)}`);
    counters.unknownType++;
    report(error, { during: 'handle', event: delivery.event });
    this.fail(delivery, error);
  }

  /** Gives the event back at once, unhandled. @returns whether the queue has taken it. */
  async giveBack(delivery: Delivery): Promise<boolean> {
    this.#held.get(delivery)?.cancel();
    this.#held.delete(delivery);
    try {
      await delivery.nack();
      return true;
    } catch {
      // Out of reach or out of time: the lease ends by itself then, and the event is handed out again.
      return false;
    } finally {
      this.#parts.ackOrder?.end(delivery);
    }
  }

  #retry(delivery: Delivery, delayMs: number, reason: string): void {
    this.#parts.counters.retried++;
    this.#track(this.#return(delivery, delayMs, reason));
  }

  /** The event becomes a dead letter, and is forgotten by its queue only after that is certain. Otherwise it is kept. */
  async #bury(delivery: Delivery, reason: string): Promise<void> {
    const { deadLetterQueue, ackOrder, counters } = this.#parts;
    this.#buried.add(delivery);
    this.#parts.onUnattended();
    try {
      if (deadLetterQueue === undefined) await this.#buryInQueue(delivery, reason);
      else await deadLetterQueue.push(deadLetterOf(delivery, reason), { timeoutMs: deadLetterTimeoutMs });
      counters.deadLettered++;
      if (deadLetterQueue === undefined) return;
      // From here on it is safe, and nothing has to be kept: at worst it is handed out again, and given up again.
      const acked = ackOrder === undefined ? delivery.ack() : ackOrder.ack(delivery);
      await acked.catch((error: unknown) => this.#lost(error, delivery));
    } catch (error) {
      await this.#keep(delivery, reason, error);
    } finally {
      this.#buried.delete(delivery);
    }
  }

  async #buryInQueue(delivery: Delivery, reason: string): Promise<void> {
    const { queue, ackOrder } = this.#parts;
    if (!queue.capabilities.deadLetter) {
      throw new NqError(
        'NQ_UNSUPPORTED',
        'Cannot give the event up: its queue keeps no dead letters and no deadLetterQueue is set',
      );
    }
    await delivery.nack({ deadLetter: true, reason });
    ackOrder?.end(delivery);
  }

  /** The event has not become a dead letter because of `error`. It goes back, if it is still ours. */
  async #keep(delivery: Delivery, reason: string, error: unknown): Promise<void> {
    const { deadLetterQueue, ackOrder, plan, counters, report } = this.#parts;
    if (deadLetterQueue === undefined && isLeaseEnd(error)) {
      ackOrder?.end(delivery);
      this.#lost(error, delivery);
      return;
    }
    counters.kept++;
    report(error, { during: 'dead-letter', event: delivery.event });
    await this.#return(delivery, plan.maxDelayMs, reason);
  }

  async #return(delivery: Delivery, delayMs: number, reason: string): Promise<void> {
    const { queue, clock, ackOrder } = this.#parts;
    const canDelay = queue.capabilities.nackDelay;
    if (delayMs > 0 && !canDelay && !this.#stopping) {
      this.#held.set(
        delivery,
        clock.schedule(() => {
          this.#held.delete(delivery);
          this.#track(this.#return(delivery, 0, reason));
        }, delayMs),
      );
      this.#parts.onUnattended();
      return;
    }
    try {
      await delivery.nack({ delayMs: canDelay ? delayMs : 0, reason });
    } catch (error) {
      this.#lost(error, delivery);
    } finally {
      ackOrder?.end(delivery);
    }
  }

  /** The delivery could not be settled: its lease is over or will end, and the event is handed out again. */
  #lost(error: unknown, delivery: Delivery): void {
    this.#parts.counters.unsettled++;
    this.#parts.report(error, { during: 'settle', event: delivery.event });
  }

  #track(settled: Promise<void>): void {
    this.pending++;
    const end = (): void => this.#ended();
    settled.then(end, end);
  }

  #ended(): void {
    this.pending--;
    this.#parts.onSettled();
  }
}

/** What a delivery that is no longer open says of itself. */
const leaseEnds: ReadonlySet<NqErrorCode> = new Set(['NQ_LEASE_LOST', 'NQ_ALREADY_SETTLED', 'NQ_CLOSED']);

/** Whether `error` of a delivery says that it is no longer open: lost, settled, or cut off when its queue was closed. */
export function isLeaseEnd(error: unknown): boolean {
  return isNqError(error) && leaseEnds.has(error.code);
}

/** The event as it is pushed into a dead-letter queue: unchanged, with what happened in its headers. */
function deadLetterOf({ event, attempt }: Delivery, reason: string): Delivery['event'] {
  return { ...event, headers: { ...event.headers, nqreason: reason, nqattempts: String(attempt) } };
}

/** Why, in one line: the name and the message of an error, or what else was thrown. Never throws itself. */
function reasonOf(error: unknown): string {
  let text: string;
  try {
    text = error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${describeThrown(error)}`;
  } catch {
    // Whoever can throw anything can also throw what throws when it is looked at.
    text = 'thrown: something that cannot be shown';
  }
  return text.length <= longestReason ? text : `${text.slice(0, longestReason)}…`;
}

function describeThrown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object that is no Error' : String(value);
}
