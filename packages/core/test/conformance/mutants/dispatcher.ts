import { type Delivery, type Dispatcher, type MessageQueue, NqError } from '../../../src/index.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';
import { neverAborts, pass, withHandlers, wrongDispatcher, type WrongDispatchers } from '../wrong-dispatcher.ts';

/** Dispatchers that take, run or stop in a wrong way. */
export const dispatcherMutants: readonly Mutant[] = [
  {
    name: 'over-concurrency',
    wrong: 'One worker more than was asked for.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          start(workers = 1) {
            alive();
            return dispatcher.start(workers + 1);
          },
        }),
    })),
  },
  {
    name: 'serial',
    wrong: 'One worker, however many were asked for.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          start() {
            alive();
            return dispatcher.start(1);
          },
        }),
    })),
  },
  {
    name: 'resize-ignored',
    wrong: 'The number of workers is that of the first start().',
    dispatchers: resized((workers, before) => (before === 0 ? workers : before)),
  },
  {
    name: 'shrink-ignored',
    wrong: 'Workers are added and never let go.',
    dispatchers: resized(Math.max),
  },
  {
    name: 'ack-before-handle',
    wrong: 'An event is acknowledged when it is taken.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) =>
        withDeliveries(queue, (delivery) => {
          alive();
          void delivery.ack();
          return delivery;
        }),
    })),
  },
  {
    name: 'second-handler-floats',
    wrong: 'Only the first handler of a type is waited for.',
    dispatchers: wrongDispatcher((alive) => {
      const seen = new Set<string>();
      return {
        dispatcher: (dispatcher) =>
          withHandlers(dispatcher, (handler, type) => {
            if (!seen.has(type)) {
              seen.add(type);
              return handler;
            }
            return (event, context) => {
              alive();
              void handler(event, context);
            };
          }),
      };
    }),
  },
  {
    name: 'double-ack',
    wrong: 'Every event is acknowledged twice.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) =>
        withDeliveries(queue, (delivery) =>
          changed(delivery, {
            async ack() {
              await delivery.ack();
              alive();
              await delivery.ack();
            },
          }),
        ),
    })),
  },
  {
    name: 'ack-forgotten',
    wrong: 'What is handled is never acknowledged.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) => withDeliveries(queue, (delivery) => changed(delivery, { ack: async () => alive() })),
    })),
  },
  {
    name: 'stop-abandons',
    wrong: 'stop() does not wait for handlers.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          stop() {
            alive();
            return dispatcher.stop({ deadlineMs: 0 });
          },
        }),
    })),
  },
  {
    name: 'stop-keeps-taking',
    wrong: 'stop() ends the intake only after the handlers that run.',
    dispatchers: wrongDispatcher((alive, { clock }) => ({
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          async stop(options) {
            alive();
            for (let looks = 0; looks < 1000 && (await dispatcher.stats()).running > 0; looks++) {
              await pass(clock, 1);
            }
            return dispatcher.stop(options);
          },
        }),
    })),
  },
  {
    name: 'stop-leaves-pop',
    wrong: 'The pop that waits when stop() is called is forgotten, and still takes an event.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) =>
        changed(queue, {
          popMany: (max, { signal } = {}) =>
            new Promise((resolve, reject) => {
              signal?.addEventListener('abort', () => {
                alive();
                reject(signal.reason);
              });
              queue.popMany(max).then(resolve, reject);
            }),
        }),
    })),
  },
  {
    name: 'second-stop-rejects',
    wrong: 'stop() rejects when it has been called before.',
    dispatchers: wrongDispatcher((alive) => {
      let stopped = false;
      return {
        dispatcher: (dispatcher) =>
          changed(dispatcher, {
            start(workers) {
              stopped = false;
              return dispatcher.start(workers);
            },
            stop(options) {
              if (!stopped) {
                stopped = true;
                return dispatcher.stop(options);
              }
              alive();
              return Promise.reject(new NqError('NQ_STOPPED', 'Cannot stop: the dispatcher is stopped'));
            },
          }),
      };
    }),
  },
  {
    name: 'stop-deadlock',
    wrong: 'stop() waits for every handler, also for the one that has called it.',
    dispatchers: wrongDispatcher((alive) => {
      let running = 0;
      let none = (): void => {};
      return {
        dispatcher: (dispatcher) =>
          changed(
            withHandlers(dispatcher, (handler) => async (event, context) => {
              running++;
              try {
                return await handler(event, context);
              } finally {
                running--;
                if (running === 0) none();
              }
            }),
            {
              async stop(options) {
                const report = await dispatcher.stop(options);
                if (running === 0) return report;
                alive();
                await new Promise<void>((resolve) => (none = resolve));
                return report;
              },
            },
          ),
      };
    }),
  },
  {
    name: 'no-restart',
    wrong: 'start() after stop() does nothing.',
    dispatchers: wrongDispatcher((alive) => {
      let stopped = false;
      return {
        dispatcher: (dispatcher) =>
          changed(dispatcher, {
            async start(workers) {
              if (stopped) alive();
              else await dispatcher.start(workers);
            },
            stop(options) {
              stopped = true;
              return dispatcher.stop(options);
            },
          }),
      };
    }),
  },
  {
    name: 'stop-acks-leftovers',
    wrong: 'What is cut off at the deadline of stop() is acknowledged.',
    dispatchers: leftOver((delivery) => delivery.ack()),
  },
  {
    name: 'stop-forgets-leftovers',
    wrong: 'What is cut off at the deadline of stop() is not given back.',
    dispatchers: leftOver(async () => {}),
  },
  {
    name: 'stop-silent',
    wrong: 'The signal of a handler does not abort when it is cut off.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        withHandlers(dispatcher, (handler) => (event, context) => handler(event, neverAborts(context, alive))),
    })),
  },
  {
    name: 'stop-waits-forever',
    wrong: 'stop() has no deadline.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          stop() {
            alive();
            return dispatcher.stop({ deadlineMs: Infinity });
          },
        }),
    })),
  },
  {
    name: 'hoard',
    wrong: 'Events are taken in batches of ten, whatever the number of free workers.',
    dispatchers: wrongDispatcher((alive) => ({ queue: (queue) => buffered(queue, alive, 10, (batch) => batch) })),
  },
  {
    name: 'prefetch-next',
    wrong: 'While an event is handled, the next one is taken already.',
    dispatchers: wrongDispatcher((alive) => ({
      queue(queue) {
        let next: Promise<readonly Delivery[]> | undefined;
        return changed(queue, {
          async popMany(max, options) {
            const deliveries = await (next ?? queue.popMany(max, options));
            alive();
            next = queue.popMany(1, options);
            next.catch(() => {});
            return deliveries;
          },
        });
      },
    })),
  },
  {
    name: 'key-overlap',
    wrong: 'A worker is free as soon as its handler has returned a promise.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        withHandlers(dispatcher, (handler) => (event, context) => {
          alive();
          void handler(event, context);
        }),
    })),
  },
  {
    name: 'newest-first',
    wrong: 'Of what was taken together, the last one is handled first.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) => buffered(queue, alive, 2, (batch) => batch.toReversed()),
    })),
  },
];

/** With as many workers as `choose` makes of the number that is asked for and the one before. */
function resized(choose: (workers: number, before: number) => number): WrongDispatchers {
  return wrongDispatcher((alive) => {
    let before = 0;
    return {
      dispatcher: (dispatcher: Dispatcher) =>
        changed(dispatcher, {
          start(workers = 1) {
            const chosen = choose(workers, before);
            if (chosen !== workers) alive();
            before = chosen;
            return dispatcher.start(chosen);
          },
        }),
    };
  });
}

/** What is given back once `stop()` was called is settled by `settle` instead. */
function leftOver(settle: (delivery: Delivery) => Promise<void>): WrongDispatchers {
  return wrongDispatcher((alive) => {
    let stopping = false;
    return {
      queue: (queue) =>
        withDeliveries(queue, (delivery) =>
          changed(delivery, {
            nack(options) {
              if (!stopping) return delivery.nack(options);
              alive();
              return settle(delivery);
            },
          }),
        ),
      dispatcher: (dispatcher) =>
        changed(dispatcher, {
          stop(options) {
            stopping = true;
            return dispatcher.stop(options);
          },
        }),
    };
  });
}

/** `queue`, from which `size` events at least are taken at once, put into an order, and handed on as they are wanted. */
function buffered(
  queue: MessageQueue,
  alive: () => void,
  size: number,
  order: (batch: readonly Delivery[]) => readonly Delivery[],
): MessageQueue {
  const buffer: Delivery[] = [];
  return changed(queue, {
    async popMany(max, options) {
      if (buffer.length === 0) buffer.push(...order(await queue.popMany(Math.max(max, size), options)));
      if (buffer.length > max) alive();
      return buffer.splice(0, max);
    },
  });
}
