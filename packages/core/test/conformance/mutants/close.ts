import { isNqError, type MessageQueue } from '../../../src/index.ts';
import { encodeEvent } from '../../../src/cloudevents.ts';
import { createEvent } from '../../../src/event.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';
import { never, wait } from './around.ts';

/** How far the close of a queue is. */
interface Progress {
  readonly isClosing: boolean;
  readonly isClosed: boolean;
}

/** Wrong about closing, and about who calls then. */
export const closeMutants: readonly Mutant[] = [
  {
    name: 'second-close-throws',
    wrong: 'Only the first close() is answered, the others are told that the queue is closed.',
    queue(queue, alive) {
      let closed = false;
      return changed(queue, {
        async close(options) {
          if (closed) {
            alive();
            throw new Error('The queue is closed already.');
          }
          closed = true;
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'second-close-hangs',
    wrong: 'A second close() waits for an end that has been told already.',
    queue(queue, alive) {
      let closed = false;
      return changed(queue, {
        async close(options) {
          if (closed) {
            alive();
            return never();
          }
          closed = true;
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'close-report-changes',
    wrong: 'A second close() finds nothing any more, and says so.',
    queue(queue, alive) {
      let closed = false;
      return changed(queue, {
        async close(options) {
          const report = await queue.close(options);
          if (!closed) {
            closed = true;
            return report;
          }
          alive();
          return { returned: 0, abandoned: 0, deadLetters: 0 };
        },
      });
    },
  },
  {
    name: 'dispose-does-nothing',
    wrong: 'Disposing of the queue leaves it open.',
    queue: (queue, alive) =>
      changed(queue, {
        async [Symbol.asyncDispose]() {
          alive();
        },
      }),
  },
  {
    name: 'use-after-close',
    wrong: 'close() answers, and the queue works as before.',
    queue: (queue, alive) =>
      changed(queue, {
        async close() {
          alive();
          return { returned: 0, abandoned: 0, deadLetters: 0 };
        },
      }),
  },
  {
    name: 'push-after-close-accepted',
    wrong: 'A push after the close resolves, and the event is nowhere.',
    queue: (queue, alive) =>
      whileClosing(queue, (progress) => ({
        async push(event, options) {
          if (!progress.isClosed) return queue.push(event, options);
          alive();
        },
      })),
  },
  {
    name: 'push-while-closing-accepted',
    wrong: 'The queue refuses pushes only when its close is done; what comes before is nowhere.',
    queue: (queue, alive) =>
      whileClosing(queue, (progress) => ({
        async push(event, options) {
          if (!progress.isClosing || progress.isClosed) return queue.push(event, options);
          alive();
        },
      })),
  },
  {
    name: 'pop-after-close-hangs',
    wrong: 'A pop after the close waits for an event.',
    queue: (queue, alive) =>
      whileClosing(queue, (progress) => ({
        async pop(options) {
          if (!progress.isClosed) return queue.pop(options);
          alive();
          return never();
        },
      })),
  },
  {
    name: 'pop-after-close-empty',
    wrong: 'A pop after the close finds nothing, so that loops go on for ever.',
    queue: (queue, alive) =>
      whileClosing(queue, (progress) => ({
        async pop(options) {
          if (!progress.isClosed) return queue.pop(options);
          alive();
          return undefined;
        },
      })),
  },
  {
    name: 'settle-after-close-silent',
    wrong: 'An acknowledgement after the close resolves, although it does nothing.',
    queue(queue, alive) {
      let progress: Progress | undefined;
      const noted = whileClosing(queue, (it) => {
        progress = it;
        return {};
      });
      return withDeliveries(noted, (delivery) =>
        changed(delivery, {
          async ack() {
            if (progress?.isClosed !== true) return delivery.ack();
            alive();
          },
        }),
      );
    },
  },
  {
    name: 'close-hangs-pops',
    wrong: 'A pop that waits when the queue is closed waits for ever.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          return afterClose(queue.pop(options), () => {
            alive();
            return never();
          });
        },
      }),
  },
  {
    name: 'close-hangs-pushes',
    wrong: 'A push that waits for room when the queue is closed waits for ever.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          return afterClose(queue.push(event, options), () => {
            alive();
            return never();
          });
        },
      }),
  },
  {
    name: 'close-ends-pops-empty',
    wrong: 'A pop that waits when the queue is closed is told that its time is over.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          return afterClose(queue.pop(options), async () => {
            alive();
            return undefined;
          });
        },
      }),
  },
  {
    name: 'close-waits-for-pop',
    wrong: 'close() waits until the pops that wait have got an event.',
    queue(queue, alive) {
      const waiting = new Set<Promise<unknown>>();
      return changed(queue, {
        pop(options) {
          const pop = queue.pop(options);
          waiting.add(pop);
          const end = (): void => void waiting.delete(pop);
          pop.then(end, end);
          return pop;
        },
        async close(options) {
          if (waiting.size > 0) alive();
          await Promise.allSettled(waiting);
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'close-admits-push',
    wrong: 'A push that waits when the queue is closed is told so, and stored as soon as there is room.',
    queue: (queue, alive, broker) =>
      changed(queue, {
        async push(input, options) {
          const event = createEvent(input);
          return afterClose(queue.push(event, options), async (closed) => {
            void (async () => {
              while ((await broker.inspect()).ready >= queue.capacity) await wait(broker.clock, 5);
              alive();
              await broker.inject(new TextEncoder().encode(encodeEvent(event)));
            })();
            throw closed;
          });
        },
      }),
  },
  {
    name: 'close-ghost-pop',
    wrong: 'What the backend hands out while the pop is given up is thrown away, not given back.',
    delayMs: 10,
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (!signal.aborted || leases.length === 0) return leases;
          alive();
          return [];
        },
      }),
  },
];

/** `queue`, changed by what is told how far its close is. */
function whileClosing(queue: MessageQueue, changes: (progress: Progress) => Partial<MessageQueue>): MessageQueue {
  const progress = { isClosing: false, isClosed: false };
  return changed(queue, {
    ...changes(progress),
    async close(options) {
      progress.isClosing = true;
      // What a slow backend would take.
      const report = await queue.close(options);
      await new Promise((resolve) => setImmediate(resolve));
      progress.isClosed = true;
      return report;
    },
  });
}

/** The answer of `call`, but what `instead` answers where it rejects because the queue is closed. */
async function afterClose<Answer>(
  call: Promise<Answer>,
  instead: (closed: unknown) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (!isNqError(error, 'NQ_CLOSED')) throw error;
    return instead(error);
  }
}
