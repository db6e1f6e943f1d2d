import { type Delivery, deadLetter, isNqError, NqError, type ReportError, retryAfter } from '../../../src/index.ts';
import { isOutcome } from '../../../src/outcome.ts';
import { type Alive, changed, type Mutant, withDeliveries } from '../mutant.ts';
import { neverAborts, pass, withHandlers, wrongDispatcher, type WrongDispatchers } from '../wrong-dispatcher.ts';

/** Dispatchers that are wrong about what fails. */
export const dispatcherFailureMutants: readonly Mutant[] = [
  {
    name: 'throw-acks',
    wrong: 'An event whose handler fails counts as handled.',
    dispatchers: forgiving(() => true),
  },
  {
    name: 'only-errors-fail',
    wrong: 'What is thrown and is no Error is no failure.',
    dispatchers: forgiving((error) => !(error instanceof Error)),
  },
  {
    name: 'rejection-ignored',
    wrong: 'A handler that rejects counts as handled; only one that throws has failed.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        withHandlers(dispatcher, (handler) => (event, context) => {
          const result = handler(event, context);
          return result instanceof Promise ? result.catch(() => alive()) : result;
        }),
    })),
  },
  {
    name: 'throw-kills-loop',
    wrong: 'After a handler has failed, nothing is taken any more.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        withHandlers(dispatcher, (handler) => async (event, context) => {
          try {
            return await handler(event, context);
          } catch (error) {
            alive();
            void dispatcher.stop();
            throw error;
          }
        }),
    })),
  },
  {
    name: 'hook-kills-loop',
    wrong: 'After onError has thrown, nothing is taken any more.',
    dispatchers: wrongDispatcher((alive) => {
      let stop = (): void => {};
      return {
        options: ({ onError, ...options }) => ({
          ...options,
          onError(error, context) {
            try {
              onError?.(error, context);
            } catch {
              alive();
              stop();
            }
          },
        }),
        dispatcher(dispatcher) {
          stop = () => void dispatcher.stop();
          return dispatcher;
        },
      };
    }),
  },
  {
    name: 'hook-not-told',
    wrong: 'Nobody is told of handlers that fail.',
    dispatchers: deaf((_error, { during }) => during === 'handle'),
  },
  {
    name: 'tight-loop',
    wrong: 'A pop that fails is tried again at once.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) =>
        changed(queue, {
          async popMany(max, options) {
            for (;;) {
              try {
                return await queue.popMany(max, options);
              } catch (error) {
                if (options?.signal?.aborted === true || isNqError(error, 'NQ_CLOSED')) throw error;
                alive();
              }
            }
          },
        }),
    })),
  },
  {
    name: 'gives-up',
    wrong: 'After a pop has failed, none is tried again.',
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) =>
        changed(queue, {
          async popMany(max, options) {
            try {
              return await queue.popMany(max, options);
            } catch (error) {
              if (options?.signal?.aborted === true) throw error;
              alive();
              throw new NqError('NQ_CLOSED', 'Cannot pop: given up');
            }
          },
        }),
    })),
  },
  {
    name: 'pop-error-swallowed',
    wrong: 'Nobody is told of pops that fail.',
    dispatchers: deaf((_error, { during }) => during === 'pop'),
  },
  {
    name: 'silent-ack',
    wrong: 'An event whose type nobody handles is acknowledged and forgotten.',
    dispatchers: wrongDispatcher((alive) => {
      const known = new Set<string>();
      return {
        queue: (queue) =>
          changed(queue, {
            async popMany(max, options) {
              for (;;) {
                const deliveries = await queue.popMany(max, options);
                const wanted = deliveries.filter(({ event }) => known.has(event.type));
                for (const delivery of deliveries) {
                  if (wanted.includes(delivery)) continue;
                  alive();
                  await delivery.ack();
                }
                if (wanted.length > 0 || deliveries.length === 0) return wanted;
              }
            },
          }),
        dispatcher: (dispatcher) =>
          withHandlers(dispatcher, (handler, type) => {
            known.add(type);
            return handler;
          }),
      };
    }),
  },
  {
    name: 'unknown-given-up',
    wrong: 'An event whose type nobody handles becomes a dead letter at once.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher(dispatcher) {
        dispatcher.onUnknownType(() => {
          alive();
          return deadLetter('unknown');
        });
        return dispatcher;
      },
    })),
  },
  {
    name: 'unknown-not-told',
    wrong: 'Nobody is told of events whose type nobody handles.',
    dispatchers: deaf((error) => isNqError(error, 'NQ_NO_HANDLER')),
  },
  {
    name: 'timeout-ignored',
    wrong: 'A handler may take as long as it likes.',
    dispatchers: timed(() => Infinity),
  },
  {
    name: 'timeout-early',
    wrong: 'A handler has half of its time.',
    dispatchers: timed((ms) => ms / 2),
  },
  {
    name: 'timeout-silent',
    wrong: 'The signal of a handler does not abort when its time is over.',
    dispatchers: wrongDispatcher((alive) => ({
      dispatcher: (dispatcher) =>
        withHandlers(dispatcher, (handler) => (event, context) => handler(event, neverAborts(context, alive))),
    })),
  },
  {
    name: 'timeout-acks',
    wrong: 'An event whose handler takes too long counts as handled.',
    dispatchers: late((delivery) => delivery.ack()),
  },
  {
    name: 'timeout-gives-up',
    wrong: 'An event whose handler takes too long becomes a dead letter at once.',
    dispatchers: late((delivery) => delivery.nack({ deadLetter: true, reason: 'too late' })),
  },
  {
    name: 'late-end-acks',
    wrong: 'A handler that ends after its signal has aborted still settles its delivery.',
    dispatchers: wrongDispatcher((alive) => {
      const taken = new Map<string, Delivery>();
      const nameOf = (id: string, attempt: number): string => `${id} ${attempt}`;
      return {
        queue: (queue) =>
          withDeliveries(queue, (delivery) => {
            taken.set(nameOf(delivery.event.id, delivery.attempt), delivery);
            return delivery;
          }),
        dispatcher: (dispatcher) =>
          withHandlers(dispatcher, (handler) => async (event, context) => {
            const result = await handler(event, context);
            if (!context.signal.aborted) return result;
            alive();
            taken
              .get(nameOf(event.id, context.attempt))
              ?.ack()
              .catch(() => {});
            return result;
          }),
      };
    }),
  },
  {
    name: 'retry-at-once',
    wrong: 'An event that failed comes back without a delay.',
    dispatchers: wrongDispatcher((alive) => ({
      options({ retry, ...options }) {
        alive();
        return { ...options, retry: { ...retry, delayMs: 0 } };
      },
    })),
  },
  {
    name: 'retry-holds-worker',
    wrong: 'The worker waits for the end of the delay itself.',
    dispatchers: wrongDispatcher((alive, { clock }) => ({
      dispatcher: (dispatcher) =>
        withHandlers(dispatcher, (handler) => async (event, context) => {
          const result = await handler(event, context);
          if (!isOutcome(result) || result.kind !== 'retry') return result;
          alive();
          await pass(clock, result.delayMs);
          return retryAfter(0, result.reason);
        }),
    })),
  },
  {
    name: 'held-for-ever',
    wrong: 'What waits in the dispatcher, because the queue cannot delay, never goes back.',
    capabilities: { nackDelay: false },
    dispatchers: wrongDispatcher((alive) => ({
      queue: (queue) => withDeliveries(queue, (delivery) => changed(delivery, { nack: async () => alive() })),
    })),
  },
  {
    name: 'lease-not-renewed',
    wrong: 'Leases are not renewed.',
    dispatchers: renewed(0),
  },
  {
    name: 'lease-renewed-once',
    wrong: 'A lease is renewed once, and then no more.',
    dispatchers: renewed(1),
  },
];

/** A failure that is `forgiven` is none. */
function forgiving(forgiven: (error: unknown) => boolean): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    dispatcher: (dispatcher) =>
      withHandlers(dispatcher, (handler) => async (event, context) => {
        try {
          return await handler(event, context);
        } catch (error) {
          if (!forgiven(error)) throw error;
          alive();
          return undefined;
        }
      }),
  }));
}

/** `onError` is not told of what is `unheard`. */
export function deaf(unheard: (...told: Parameters<ReportError>) => boolean): WrongDispatchers {
  return wrongDispatcher((alive: Alive) => ({
    options: ({ onError, ...options }) => ({
      ...options,
      onError(error, context) {
        if (unheard(error, context)) alive();
        else onError?.(error, context);
      },
    }),
  }));
}

/** Handlers have another time than they were given. */
function timed(change: (ms: number) => number): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    options({ handlerTimeoutMs = 300_000, ...options }) {
      alive();
      return { ...options, handlerTimeoutMs: change(handlerTimeoutMs) };
    },
  }));
}

/** What a handler was too late for is settled by `settle`. */
function late(settle: (delivery: Delivery) => Promise<void>): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    queue: (queue) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          nack(options) {
            if (options?.reason?.includes('did not end within') !== true) return delivery.nack(options);
            alive();
            return settle(delivery);
          },
        }),
      ),
  }));
}

/** Every lease is renewed so many times at the most. */
function renewed(times: number): WrongDispatchers {
  return wrongDispatcher((alive) => ({
    queue: (queue) =>
      withDeliveries(queue, (delivery) => {
        let left = times;
        return changed(delivery, {
          async extend(ms) {
            if (left-- > 0) await delivery.extend(ms);
            else alive();
          },
        });
      }),
  }));
}
