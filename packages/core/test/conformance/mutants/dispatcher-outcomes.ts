import type {
  Delivery,
  Dispatcher,
  DispatcherOptions,
  DispatcherStats,
  MessageQueue,
  QueueSize,
} from '../../../src/index.ts';
import { type Alive, changed, type Mutant, withDeliveries } from '../mutant.ts';
import { pass, wrongDispatcher, type WrongDispatchers } from '../wrong-dispatcher.ts';
import { deaf } from './dispatcher-failures.ts';

/** Dispatchers that are wrong about dead letters, or about what they have done. */
export const dispatcherOutcomeMutants: readonly Mutant[] = [
  {
    name: 'ack-before-dlq-confirm',
    wrong: 'An event is acknowledged, and then pushed into the dead-letter queue.',
    dispatchers: burying((alive, taken) => (grave) => ({
      async push(event, options) {
        alive();
        await taken.get(event.id ?? '')?.ack();
        await grave.push(event, options);
      },
    })),
  },
  {
    name: 'dlq-not-awaited',
    wrong: 'The push into the dead-letter queue is not awaited.',
    dispatchers: burying((alive) => (grave) => ({
      async push(event, options) {
        alive();
        grave.push(event, options).catch(() => {});
      },
    })),
  },
  {
    name: 'dlq-failure-drops',
    wrong: 'An event that the dead-letter queue refuses is acknowledged all the same.',
    dispatchers: burying((alive) => (grave) => ({
      async push(event, options) {
        try {
          await grave.push(event, options);
        } catch {
          alive();
        }
      },
    })),
  },
  {
    name: 'dlq-failure-silent',
    wrong: 'Nobody is told that the dead-letter queue has refused an event.',
    dispatchers: deaf((_error, { during }) => during === 'dead-letter'),
  },
  {
    name: 'dlq-without-reason',
    wrong: 'The dead letter does not say why.',
    dispatchers: burying((alive) => (grave) => ({
      push(event, options) {
        alive();
        return grave.push({ ...event, headers: { ...event.headers, nqreason: '' } }, options);
      },
    })),
  },
  {
    name: 'dlq-off-by-one',
    wrong: 'maxAttempts is the number of retries after the first attempt.',
    dispatchers: limited((maxAttempts) => maxAttempts + 1),
  },
  {
    name: 'dlq-too-soon',
    wrong: 'Attempts are counted from 0 by the dispatcher, and from 1 by the queue.',
    dispatchers: limited((maxAttempts) => maxAttempts - 1),
  },
  {
    name: 'dlq-and-redeliver',
    wrong: 'An event that is a dead letter is given back besides.',
    dispatchers: wrongDispatcher((alive) => {
      const buried = new Set<string>();
      return {
        queue: (queue) =>
          withDeliveries(queue, (delivery) =>
            changed(delivery, {
              ack() {
                if (!buried.has(delivery.event.id)) return delivery.ack();
                alive();
                return delivery.nack();
              },
            }),
          ),
        options: (options) =>
          changedGrave(options, (grave) => ({
            async push(event, waiting) {
              await grave.push(event, waiting);
              buried.add(event.id ?? '');
            },
          })),
      };
    }),
  },
  {
    name: 'dlq-twice',
    wrong: 'An event is pushed into the dead-letter queue twice.',
    dispatchers: burying((alive) => (grave) => ({
      async push(event, options) {
        await grave.push(event, options);
        alive();
        await grave.push(event, options);
      },
    })),
  },
  {
    name: 'counts-failures-as-handled',
    wrong: 'Every run of a handler counts as handled, also one that failed.',
    dispatchers: counting((stats) => ({ ...stats, handled: stats.handled + stats.failed })),
  },
  {
    name: 'counts-reset-by-stop',
    wrong: 'stop() sets every count to 0.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher(dispatcher) {
        let before = { handled: 0, failed: 0, retried: 0, deadLettered: 0 };
        return changed(dispatcher, {
          async stop(options) {
            const report = await dispatcher.stop(options);
            before = await dispatcher.stats();
            return report;
          },
          async stats() {
            const stats = await dispatcher.stats();
            if (before.handled > 0) alive();
            return {
              ...stats,
              handled: stats.handled - before.handled,
              failed: stats.failed - before.failed,
              retried: stats.retried - before.retried,
              deadLettered: stats.deadLettered - before.deadLettered,
            };
          },
        });
      },
    })),
  },
  {
    name: 'retries-not-counted',
    wrong: 'Only retries in place are counted.',
    dispatchers: counting((stats) => ({ ...stats, retried: 0 })),
  },
  {
    name: 'own-dead-letter-acked',
    wrong: 'An event that is given up is acknowledged.',
    dispatchers: givingUp((delivery) => delivery.ack()),
  },
  {
    name: 'dead-letter-reason-lost',
    wrong: 'The reason for giving up is not handed on.',
    dispatchers: givingUp((delivery) => delivery.nack({ deadLetter: true })),
  },
  {
    name: 'given-up-to-nowhere',
    wrong: 'An event that is given up is acknowledged where there is no place for it.',
    capabilities: { deadLetter: false },
    dispatchers: givingUp((delivery) => delivery.ack()),
  },
  {
    name: 'kept-not-told',
    wrong: 'Nobody is told of events that could not be given up.',
    capabilities: { deadLetter: false },
    dispatchers: deaf((_error, { during }) => during === 'dead-letter'),
  },
  {
    name: 'drain-early',
    wrong: 'drain() looks only at what is ready.',
    dispatchers: draining(({ ready }) => ready === 0),
  },
  {
    name: 'drain-ignores-delayed',
    wrong: 'drain() does not wait for delayed events.',
    dispatchers: draining(({ ready, inFlight }) => ready + inFlight === 0),
  },
  {
    name: 'drain-hangs',
    wrong: 'drain() is not told when the last handler has ended.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          drain() {
            alive();
            return new Promise(() => {});
          },
        }),
    })),
  },
];

/** `options`, with another dead-letter queue, if there is one. */
function changedGrave(
  options: DispatcherOptions,
  change: (grave: MessageQueue) => Partial<MessageQueue>,
): DispatcherOptions {
  const { deadLetterQueue: grave } = options;
  return grave === undefined ? options : { ...options, deadLetterQueue: changed(grave, change(grave)) };
}

/** With another dead-letter queue. @param change is given the deliveries that were taken last, by the id of their event. */
function burying(
  change: (alive: Alive, taken: ReadonlyMap<string, Delivery>) => (grave: MessageQueue) => Partial<MessageQueue>,
): WrongDispatchers {
  return wrongDispatcher((alive) => {
    const taken = new Map<string, Delivery>();
    return {
      queue: (queue) =>
        withDeliveries(queue, (delivery) => {
          taken.set(delivery.event.id, delivery);
          return delivery;
        }),
      options: (options) => changedGrave(options, change(alive, taken)),
    };
  });
}

/** With another bound of the attempts. */
function limited(change: (maxAttempts: number) => number): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    options({ retry = {}, ...options }) {
      alive();
      return { ...options, retry: { ...retry, maxAttempts: change(retry.maxAttempts ?? 5) } };
    },
  }));
}

/** With other numbers. */
function counting(change: (stats: DispatcherStats) => DispatcherStats): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    dispatcher: (dispatcher: Dispatcher) =>
      changed(dispatcher, {
        async stats() {
          alive();
          return change(await dispatcher.stats());
        },
      }),
  }));
}

/** On a queue that takes dead letters, whatever it declares, and settles them by `settle`. */
function givingUp(settle: (delivery: Delivery) => Promise<void>): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    queue: (queue) =>
      changed(
        withDeliveries(queue, (delivery) =>
          changed(delivery, {
            nack(options) {
              if (options?.deadLetter !== true) return delivery.nack(options);
              alive();
              return settle(delivery);
            },
          }),
        ),
        { capabilities: { ...queue.capabilities, deadLetter: true } },
      ),
  }));
}

/** With a `drain()` that ends when the size of the queue is as `empty` says. */
function draining(empty: (size: QueueSize) => boolean): WrongDispatchers {
  return wrongDispatcher((alive, { clock }) => ({
    dispatcher: (dispatcher) =>
      changed(dispatcher, {
        async drain() {
          const queue = await dispatcher.queue();
          for (;;) {
            const size = await queue.size();
            if (empty(size)) {
              const { ready, inFlight, delayed } = size;
              if (ready + inFlight + delayed > 0) alive();
              return;
            }
            await pass(clock, 2);
          }
        },
      }),
  }));
}
