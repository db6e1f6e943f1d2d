import { type EventInput, isNqError, type MessageQueue, NqError, type WaitOptions } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { inTime } from '../../../src/bounded.ts';
import { type Alive, changed, type Mutant, withDeliveries } from '../mutant.ts';
import { wait } from './around.ts';
import { aroundCalls, withErrors, withOptions } from './calls.ts';

/** Wrong about what is refused, about aborts, about who is served first, and about batches. */
export const pushCallMutants: readonly Mutant[] = [
  {
    name: 'checks-nothing',
    wrong: 'Options that are none are taken for none given.',
    queue: (queue, alive) =>
      aroundCalls(queue, async ({ verb, options, make }) => {
        try {
          return await make(options);
        } catch (error) {
          if (!isMisuse(error)) throw error;
          alive();
          // A pop that found nothing would wait for ever.
          return make(verb.startsWith('pop') ? { timeoutMs: 0 } : undefined);
        }
      }),
  },
  {
    name: 'checks-late',
    wrong: 'Options are checked when an event is there, which goes back then.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          try {
            return await queue.pop(options);
          } catch (error) {
            const delivery = isMisuse(error) ? await queue.pop({ timeoutMs: 0 }) : undefined;
            if (delivery !== undefined) alive();
            await delivery?.nack();
            throw error;
          }
        },
      }),
  },
  {
    name: 'nan-is-zero',
    wrong: 'A time limit that is not above 0 counts as 0.',
    queue: (queue, alive) =>
      withOptions(queue, alive, (options) =>
        typeof options.timeoutMs !== 'number' || options.timeoutMs >= 0 ? undefined : { ...options, timeoutMs: 0 },
      ),
  },
  {
    name: 'max-is-clamped',
    wrong: 'A max that is none is taken for the nearest that is one.',
    queue: (queue, alive) =>
      changed(queue, {
        popMany(max, options) {
          if (max === Infinity || (Number.isInteger(max) && max > 0)) return queue.popMany(max, options);
          alive();
          return queue.popMany(Math.max(1, Math.floor(max) || 1), options);
        },
      }),
  },
  {
    name: 'ignores-preaborted',
    wrong: 'Only an abort that comes later is heard.',
    queue: (queue, alive) =>
      withOptions(queue, alive, ({ signal, ...rest }) => (signal?.aborted === true ? rest : undefined)),
  },
  {
    name: 'ignores-abort',
    wrong: 'Once a call waits, its signal is not looked at.',
    queue: (queue, alive) =>
      withOptions(queue, alive, ({ signal, ...rest }) => (signal?.aborted === false ? rest : undefined)),
  },
  {
    name: 'abort-missed-in-flight',
    wrong: 'Between the first try and the wait, an abort is not heard.',
    delayMs: 10,
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options = {}) {
          const { signal, timeoutMs } = options;
          if (signal === undefined || signal.aborted || timeoutMs === 0) return queue.pop(options);
          const first = await queue.pop({ timeoutMs: 0 });
          if (first !== undefined || !signal.aborted) return first ?? queue.pop(options);
          alive();
          return queue.pop({ timeoutMs });
        },
      }),
  },
  {
    name: 'abort-wraps-reason',
    wrong: 'An aborted call rejects with an error of its own.',
    queue: (queue, alive) =>
      withErrors(queue, alive, (error, { signal }) =>
        signal?.aborted === true && error === signal.reason ? new Error('aborted', { cause: error }) : undefined,
      ),
  },
  {
    name: 'abort-makes-an-error',
    wrong: 'A reason that is no error is made one.',
    queue: (queue, alive) =>
      withErrors(queue, alive, (error, { signal }) =>
        signal?.aborted === true && error === signal.reason && !(error instanceof Error)
          ? new Error(String(error))
          : undefined,
      ),
  },
  {
    name: 'abort-without-a-reason',
    wrong: 'A reason that counts as false is taken for none.',
    queue: (queue, alive) =>
      withErrors(queue, alive, (error, { signal }) =>
        signal?.aborted === true && error === signal.reason && !error
          ? new DOMException('This operation was aborted', 'AbortError')
          : undefined,
      ),
  },
  {
    name: 'abort-stores-anyway',
    wrong: 'A push that is aborted rejects, and its event is stored when there is room.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async push(event, options = {}) {
          const { signal, timeoutMs } = options;
          if (signal === undefined || signal.aborted) return queue.push(event, options);
          const stored = queue.push(event, { timeoutMs });
          try {
            await inTime(stored, { timeoutMs: Infinity, signal }, '', clock);
          } catch (error) {
            if (error === signal.reason) alive();
            throw error;
          }
        },
      }),
  },
  {
    name: 'leak-abort-listeners',
    wrong: 'The listener on a signal stays when the call is over.',
    queue: (queue, alive) =>
      withOptions(queue, alive, (options) => {
        options.signal?.addEventListener('abort', () => {});
        return options.signal === undefined ? undefined : options;
      }),
  },
  {
    name: 'lifo-pushers',
    wrong: 'Of the pushes that wait, the latest is admitted first.',
    queue: (queue, alive, broker) => withOwnLine(queue, alive, broker, { latestFirst: true, newcomersFirst: false }),
  },
  {
    name: 'bypass-waiters',
    wrong: 'A push that finds room takes it, although others wait for it.',
    queue: (queue, alive, broker) => withOwnLine(queue, alive, broker, { latestFirst: false, newcomersFirst: true }),
  },
  {
    name: 'batch-reversed',
    wrong: 'A batch is stored from its end.',
    queue: (queue, alive) =>
      changed(queue, {
        pushMany(events, options) {
          if (events.length > 1) alive();
          return queue.pushMany(events.toReversed(), options);
        },
      }),
  },
  {
    name: 'batch-pages-race',
    wrong: 'The pages of a large batch are sent at the same time, and the first one arrives last.',
    queue: (queue, alive) =>
      changed(queue, {
        async pushMany(events, options) {
          const [first, rest] = [events.slice(0, 100), events.slice(100)];
          if (rest.length > 0) alive();
          await Promise.all([queue.pushMany(rest, options), queue.pushMany(first, options)]);
        },
      }),
  },
  {
    name: 'batch-of-one-page',
    wrong: 'Of a large batch, one page is sent.',
    queue: (queue, alive) =>
      changed(queue, {
        pushMany(events, options) {
          if (events.length > 1000) alive();
          return queue.pushMany(events.slice(0, 1000), options);
        },
      }),
  },
  {
    name: 'batch-stored-missing',
    wrong: 'The error of a batch does not say how many of its events are stored.',
    queue: (queue, alive) =>
      withErrors(queue, alive, (error) =>
        isNqError(error) && error.stored !== undefined ? new NqError(error.code, error.message) : undefined,
      ),
  },
  {
    name: 'batch-stored-one-less',
    wrong: 'The error of a batch counts one event less than is stored.',
    queue: (queue, alive) =>
      withErrors(queue, alive, (error) =>
        isNqError(error) && error.stored !== undefined
          ? new NqError(error.code, error.message, { stored: error.stored - 1 })
          : undefined,
      ),
  },
];

function isMisuse(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

interface Pushing {
  readonly event: EventInput;
  readonly stored: () => void;
  readonly failed: (error: unknown) => void;
}

/** `queue`, with a line of its own for pushes that wait, served after each pop. Limits of those who wait are not kept. */
function withOwnLine(
  queue: MessageQueue,
  alive: Alive,
  { clock }: SimulatedBroker,
  wrong: { readonly latestFirst: boolean; readonly newcomersFirst: boolean },
): MessageQueue {
  const waiting: Pushing[] = [];
  const serve = async (): Promise<void> => {
    // Who waits needs a moment to be woken.
    await wait(clock, 1);
    const next = wrong.latestFirst ? waiting.pop() : waiting.shift();
    if (next === undefined) return;
    if (wrong.latestFirst && waiting.length > 0) alive();
    try {
      await queue.push(next.event, { timeoutMs: 0 });
      next.stored();
    } catch (error) {
      if (!isNqError(error, 'NQ_FULL')) next.failed(error);
      else if (wrong.latestFirst) waiting.push(next);
      else waiting.unshift(next);
    }
  };
  const lined = changed<MessageQueue>(queue, {
    async push(event: EventInput, options: WaitOptions = {}) {
      if (waiting.length === 0 || wrong.newcomersFirst) {
        try {
          await queue.push(event, { ...options, timeoutMs: 0 });
          if (waiting.length > 0) alive();
          return;
        } catch (error) {
          if (!isNqError(error, 'NQ_FULL') || options.timeoutMs === 0) throw error;
        }
      }
      await new Promise<void>((stored, failed) => void waiting.push({ event, stored, failed }));
    },
  });
  return withDeliveries(lined, (delivery) => {
    void serve();
    return delivery;
  });
}
