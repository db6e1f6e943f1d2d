import { type Delivery, isSynchronousQueue, type MessageQueue, type SynchronousQueue } from '../queue.ts';
import type { QueueEvent } from '../event.ts';
import { describeError } from './journal.ts';
import type { ObservedQueue } from './observed-queue.ts';
import type { Trial } from './trial.ts';

/** What was asked of a delivery. */
type AskedSettlement = 'ack' | 'nack' | 'dead letter';

/** A delivery that a dispatcher has taken, and what it has asked of it so far, in order. */
export interface WatchedDelivery {
  readonly id: string;
  readonly attempt: number;
  readonly asked: AskedSettlement[];
}

/**
 * A queue for a dispatcher, seen from the other side: what the dispatcher takes and how it settles is written down. It has
 * the synchronous side of the queue, if there is one.
 */
export interface WatchedQueue {
  readonly queue: MessageQueue;
  /** Every delivery that was taken, in that order. */
  readonly taken: readonly WatchedDelivery[];
  /** The deliveries of `event`, in the order in which they were taken. */
  of(event: QueueEvent | undefined): readonly WatchedDelivery[];
  /** What was asked of all deliveries of `event`, in the order in which these were taken. */
  asked(event: QueueEvent | undefined): readonly AskedSettlement[];
}

/** `queue`, to be given to a dispatcher. @param onAck is called before each `ack()`. */
export function watchQueue(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  onAck: (delivery: WatchedDelivery) => void = () => {},
): WatchedQueue {
  const { raw } = queue;
  const taken: WatchedDelivery[] = [];
  const { journal } = trial;
  const watch = (delivery: Delivery): Delivery => {
    const { event, attempt } = delivery;
    const watched: WatchedDelivery = { id: event.id, attempt, asked: [] };
    taken.push(watched);
    const name = `${journal.nameOf(event.id)}#${attempt}`;
    journal.note(`the dispatcher takes ${trial.show(delivery)}`);
    const ask = (what: AskedSettlement, call: () => Promise<void>): Promise<void> => {
      watched.asked.push(what);
      if (what === 'ack') onAck(watched);
      const end = journal.begin(`the dispatcher: ${what} of ${name}`);
      const answer = call();
      answer.then(
        () => end('done'),
        (error: unknown) => end(`rejects ${describeError(error)}`),
      );
      // The very promise of the queue: a dispatcher may know it.
      return answer;
    };
    return instead(delivery, {
      ack: () => ask('ack', () => delivery.ack()),
      nack: (options) => ask(options?.deadLetter === true ? 'dead letter' : 'nack', () => delivery.nack(options)),
    });
  };
  const changes: Partial<SynchronousQueue> = {
    async pop(options) {
      const delivery = await raw.pop(options);
      return delivery === undefined ? undefined : watch(delivery);
    },
    popMany: async (max, options) => (await raw.popMany(max, options)).map((delivery) => watch(delivery)),
  };
  if (isSynchronousQueue(raw)) {
    changes.tryPop = () => {
      const delivery = raw.tryPop();
      return delivery === undefined ? undefined : watch(delivery);
    };
  }
  const of = (event: QueueEvent | undefined): readonly WatchedDelivery[] => taken.filter(({ id }) => id === event?.id);
  return { queue: instead(raw, changes), taken, of, asked: (event) => of(event).flatMap(({ asked }) => asked) };
}

/** `subject`, but for the members in `changes`; the others do what they did. */
export function instead<Subject extends object>(subject: Subject, changes: Partial<Subject>): Subject {
  return new Proxy(subject, {
    get(target, name) {
      if (Object.hasOwn(changes, name)) return changes[name as keyof Subject];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** What handlers wait for until the rule lets them go on. */
export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}
