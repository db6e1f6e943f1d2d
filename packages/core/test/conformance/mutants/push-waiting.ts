import { isNqError, NqError } from '../../../src/index.ts';
import { inTime } from '../../../src/bounded.ts';
import { changed, type Mutant } from '../mutant.ts';
import { never } from './around.ts';
import { withErrors, withOptions } from './calls.ts';

/** Wrong about how long a push waits, and about what is certain afterwards. */
export const pushWaitingMutants: readonly Mutant[] = [
  {
    name: 'unbounded',
    wrong: 'The capacity is told, and not kept to.',
    harness: (harness, alive) => ({
      ...harness,
      async namespace(id) {
        const place = await harness.namespace(id);
        return {
          ...place,
          async open(options) {
            if (options.capacity === undefined) return place.open(options);
            alive();
            const queue = await place.open({ ...options, capacity: 1_000_000 });
            return changed(queue, { capacity: options.capacity });
          },
        };
      },
    }),
  },
  {
    name: 'lost-wakeup-push',
    wrong: 'A push that waits for room is not told when there is some.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async push(event, options = {}) {
          try {
            await queue.push(event, { ...options, timeoutMs: 0 });
          } catch (error) {
            if (!isNqError(error, 'NQ_FULL') || options.timeoutMs === 0) throw error;
            alive();
            const { timeoutMs = Infinity, signal } = options;
            await inTime(never(), { timeoutMs, signal }, 'There was no room in time.', clock);
          }
        },
      }),
  },
  {
    name: 'swallows-full',
    wrong: 'A push to a full queue resolves, and its event is gone.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          try {
            await queue.push(event, { ...options, timeoutMs: 0 });
          } catch (error) {
            if (!isNqError(error, 'NQ_FULL')) throw error;
            alive();
          }
        },
      }),
  },
  {
    name: 'full-batch-loses-rest',
    wrong: 'Of a batch that does not fit, the first events are stored, and the call resolves.',
    queue: (queue, alive) =>
      changed(queue, {
        async pushMany(events, options) {
          try {
            await queue.pushMany(events, { ...options, timeoutMs: 0 });
          } catch (error) {
            if (!isNqError(error, 'NQ_FULL')) throw error;
            alive();
          }
        },
      }),
  },
  {
    name: 'limit-never-fires',
    wrong: 'Time limits are ignored.',
    queue: (queue, alive) =>
      withOptions(queue, alive, ({ timeoutMs = 0, signal }) => (timeoutMs > 0 ? { signal } : undefined)),
  },
  {
    name: 'limit-fires-early',
    wrong: 'Time limits fire at half of their time.',
    queue: (queue, alive) =>
      withOptions(queue, alive, ({ timeoutMs = 0, signal }) =>
        timeoutMs > 0 ? { signal, timeoutMs: timeoutMs / 2 } : undefined,
      ),
  },
  {
    name: 'limit-overflows',
    wrong: 'A limit of more than setTimeout can count fires at once.',
    queue: (queue, alive) =>
      withOptions(queue, alive, (options) =>
        options.timeoutMs !== undefined && options.timeoutMs > 2 ** 31 - 1 && options.timeoutMs < Infinity
          ? { ...options, timeoutMs: 1 }
          : undefined,
      ),
  },
  {
    name: 'pop-timeout-rejects',
    wrong: 'A pop that runs out of time rejects.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          const delivery = await queue.pop(options);
          if (delivery !== undefined || options?.timeoutMs === 0) return delivery;
          alive();
          throw new NqError('NQ_TIMEOUT', 'No event came in time.');
        },
      }),
  },
  {
    name: 'push-timeout-resolves',
    wrong: 'A push that runs out of time resolves.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          try {
            await queue.push(event, options);
          } catch (error) {
            if (!isNqError(error, 'NQ_TIMEOUT')) throw error;
            alive();
          }
        },
      }),
  },
  {
    name: 'zombie-push',
    wrong: 'A push that ran out of time goes on in the background, and stores its event when there is room.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async push(event, options = {}) {
          const { timeoutMs = Infinity, signal } = options;
          if (!(timeoutMs > 0)) return queue.push(event, options);
          const stored = queue.push(event, { signal });
          try {
            await inTime(stored, { timeoutMs, signal: undefined }, 'There was no room in time.', clock);
          } catch (error) {
            if (isNqError(error, 'NQ_TIMEOUT')) alive();
            throw error;
          }
        },
      }),
  },
  {
    name: 'refused-but-written',
    wrong: 'What was refused for want of room is written all the same.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          try {
            await queue.push(event, options);
          } catch (error) {
            if (isNqError(error, 'NQ_FULL')) {
              alive();
              queue.push(event).catch(() => {});
            }
            throw error;
          }
        },
      }),
  },
  {
    name: 'claims-definite-timeout',
    wrong: 'It is declared that an answer is always definite, and it is not.',
    capabilities: { definiteTimeout: true },
    queue: (queue, alive) =>
      withErrors(queue, alive, (error) =>
        isNqError(error, 'NQ_TIMEOUT') ? new NqError('NQ_OUTCOME_UNKNOWN', 'It may be stored.') : undefined,
      ),
  },
  {
    name: 'zero-is-infinite',
    wrong: 'timeoutMs is tested for its truth, so 0 is no limit.',
    queue: (queue, alive) =>
      withOptions(queue, alive, ({ timeoutMs, signal }) => (timeoutMs === 0 ? { signal } : undefined)),
  },
  {
    name: 'zero-full-is-timeout',
    wrong: 'A push that was told not to wait rejects as if it had waited.',
    queue: (queue, alive) =>
      withErrors(queue, alive, (error) =>
        isNqError(error, 'NQ_FULL') ? new NqError('NQ_TIMEOUT', 'There was no room in time.') : undefined,
      ),
  },
  {
    name: 'zero-never-finds',
    wrong: 'A pop with timeoutMs 0 is over before it has asked.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          if (options?.timeoutMs !== 0) return queue.pop(options);
          alive();
          return undefined;
        },
      }),
  },
  {
    name: 'zero-never-stores',
    wrong: 'A push with timeoutMs 0 is out of time before it has asked.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          if (options?.timeoutMs !== 0) return queue.push(event, options);
          alive();
          throw new NqError('NQ_FULL', 'There was no room at once.');
        },
      }),
  },
];
