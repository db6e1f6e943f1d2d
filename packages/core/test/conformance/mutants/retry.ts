import type { DeadLetters, QueueDriver, QueueEvent } from '../../../src/index.ts';
import { type Alive, changed, type Mutant, withLeases } from '../mutant.ts';
import { wait } from './around.ts';

/** Wrong about when events come again, and about giving them up. */
export const retryMutants: readonly Mutant[] = [
  {
    name: 'tail-requeue',
    wrong: 'What is given back goes to the end of the queue.',
    driver(driver, alive) {
      const events = new Map<unknown, { readonly event: QueueEvent; readonly attempt: number }>();
      /** The attempts that the copy at the end does not know of. */
      const before = new Map<string, number>();
      const remembering = withLeases(driver, (lease) => {
        const attempt = lease.attempt + (before.get(lease.event.id) ?? 0);
        events.set(lease.receipt, { event: lease.event, attempt });
        return { ...lease, attempt };
      });
      return changed(remembering, {
        async nack(returns) {
          const answers = await driver.ack(returns.map(({ receipt }) => receipt));
          for (const [index, { receipt }] of returns.entries()) {
            const known = events.get(receipt);
            if (!answers[index] || known === undefined) continue;
            alive();
            before.set(known.event.id, known.attempt);
            await driver.push([driver.encode(known.event)]);
          }
          return answers;
        },
      });
    },
  },
  {
    name: 'reverse-return',
    wrong: 'What is given back goes to the head of the queue: of several events, the last one comes first.',
    driver: returnsLastFirst,
  },
  {
    name: 'reorder-on-retry',
    wrong: 'What is given back waits in a queue for retries for a moment, and later events overtake it.',
    driver: (driver, alive) => withReturns(driver, alive, ({ delayMs }) => ({ delayMs: Math.max(delayMs, 5) })),
  },
  {
    name: 'delay-ignored',
    wrong: 'The delay is ignored.',
    driver: (driver, alive) => withReturns(driver, alive, () => ({ delayMs: 0 })),
  },
  {
    name: 'delay-forever',
    wrong: 'What is delayed never comes again.',
    driver: (driver, alive) =>
      withReturns(driver, alive, ({ delayMs }) => ({ delayMs: delayMs > 0 ? 1_000_000_000 : 0 })),
  },
  {
    name: 'delay-rounded-to-seconds',
    wrong: 'The delay is rounded to seconds, because the backend counts in them.',
    driver: (driver, alive) =>
      // At least one, so that it is not ignored.
      withReturns(driver, alive, ({ delayMs }) => ({
        delayMs: delayMs > 0 ? Math.max(1, Math.round(delayMs / 1000)) * 1000 : 0,
      })),
  },
  {
    name: 'delay-blocks-others',
    wrong: 'The consumer sleeps as long as an event is delayed.',
    queue(queue, alive, { clock }) {
      let sleepsUntil = 0;
      const sleeping = changed(queue, {
        async pop(options = {}) {
          const { timeoutMs = Infinity } = options;
          const left = sleepsUntil - clock.now();
          if (left <= 0) return queue.pop(options);
          alive();
          await wait(clock, Math.min(left, timeoutMs));
          return timeoutMs <= left ? undefined : queue.pop({ ...options, timeoutMs: timeoutMs - left });
        },
      });
      return changed(sleeping, {
        async pop(options) {
          const delivery = await sleeping.pop(options);
          if (delivery === undefined) return undefined;
          return changed(delivery, {
            async nack(back) {
              await delivery.nack(back);
              sleepsUntil = Math.max(sleepsUntil, clock.now() + (back?.delayMs ?? 0));
            },
          });
        },
      });
    },
  },
  {
    name: 'delay-waits-for-longer-ones',
    wrong: 'Delays end in the order in which they began: a short one waits for a longer one before it.',
    driver(driver, alive, { clock }) {
      let lastEnd = 0;
      return withReturns(driver, alive, ({ delayMs }) => {
        if (delayMs === 0) return {};
        lastEnd = Math.max(lastEnd, clock.now() + delayMs);
        return { delayMs: lastEnd - clock.now() };
      });
    },
  },
  {
    name: 'delay-overflows',
    wrong: 'A delay that no timer can hold ends at once.',
    driver: (driver, alive) =>
      withReturns(driver, alive, ({ delayMs }) => (delayMs > 2 ** 31 - 1 ? { delayMs: 1 } : {})),
  },
  {
    name: 'dead-letter-dropped',
    wrong: 'What is given up is forgotten.',
    driver: (driver, alive) =>
      aroundBurials(driver, async (burials) => {
        alive();
        return driver.ack(burials.map(({ receipt }) => receipt));
      }),
  },
  {
    name: 'dead-letter-and-redelivered',
    wrong: 'What is given up becomes a dead letter, and is given back as well.',
    driver(driver, alive) {
      const events = new Map<unknown, QueueEvent>();
      const remembering = withLeases(driver, (lease) => {
        events.set(lease.receipt, lease.event);
        return lease;
      });
      return aroundBurials(remembering, async (burials) => {
        alive();
        const copies = burials.map(({ receipt }) => events.get(receipt)).filter((event) => event !== undefined);
        await driver.push(copies.map((event) => driver.encode(event)));
        return driver.nack(burials);
      });
    },
  },
  {
    name: 'dead-letter-doubled',
    wrong: 'Each dead letter is written twice.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async count() {
          const count = await letters.count();
          if (count > 0) alive();
          return 2 * count;
        },
        list: async (options) => (await letters.list(options)).flatMap((letter) => [letter, letter]),
      })),
  },
  {
    name: 'dead-letter-without-reason',
    wrong: 'The reason is not kept with the dead letter.',
    driver: (driver, alive) =>
      aroundBurials(driver, (burials) => {
        alive();
        return driver.nack(burials.map((burial) => ({ ...burial, reason: '' })));
      }),
  },
  {
    name: 'dead-letter-keeps-first-reason',
    wrong: 'A dead letter tells why its event was given back for the first time.',
    driver(driver, alive) {
      const ids = new Map<unknown, string>();
      const reasons = new Map<string, string>();
      const remembering = withLeases(driver, (lease) => {
        ids.set(lease.receipt, lease.event.id);
        return lease;
      });
      return changed(remembering, {
        nack: (returns) =>
          driver.nack(
            returns.map((back) => {
              const id = ids.get(back.receipt) ?? '';
              const reason = reasons.get(id) ?? back.reason;
              reasons.set(id, reason);
              if (reason !== back.reason) alive();
              return { ...back, reason };
            }),
          ),
      });
    },
  },
  {
    name: 'dead-at-since-start',
    wrong: 'A dead letter tells how long the process had run when its event was given up, not when that was.',
    driver: (driver, alive, { clock }) =>
      withLetters(driver, (letters) => ({
        async list(options) {
          const listed = await letters.list(options);
          if (listed.length > 0) alive();
          return listed.map((letter) => ({ ...letter, deadAt: letter.deadAt - clock.date() + clock.now() }));
        },
      })),
  },
  {
    name: 'dead-letter-counts-failures',
    wrong: 'A dead letter tells how often its event was given back before, not how often it was handed out.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async list(options) {
          const listed = await letters.list(options);
          if (listed.length > 0) alive();
          return listed.map((letter) => ({ ...letter, attempts: letter.attempts - 1 }));
        },
      })),
  },
  {
    name: 'dead-letters-newest-first',
    wrong: 'Dead letters are listed from the newest one on.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async list({ limit = 100 } = {}) {
          const all = await letters.list({ limit: Infinity });
          if (all.length > 1) alive();
          return all.toReversed().slice(0, limit);
        },
      })),
  },
  {
    name: 'replay-keeps-dead-letter',
    wrong: 'What is replayed stays among the dead letters.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async replay(ids) {
          const all = await letters.list({ limit: Infinity });
          const wanted = all.filter(({ event }) => ids?.includes(event.id) !== false);
          if (wanted.length > 0) alive();
          await driver.push(wanted.map(({ event }) => driver.encode(event)));
          return wanted.length;
        },
      })),
  },
  {
    name: 'replay-keeps-attempts',
    wrong: 'What is replayed goes on with the attempts that it had.',
    driver(driver, alive) {
      const before = new Map<string, number>();
      const counting = withLeases(driver, (lease) => {
        const earlier = before.get(lease.event.id) ?? 0;
        if (earlier > 0) alive();
        return { ...lease, attempt: lease.attempt + earlier };
      });
      return withLetters(counting, (letters) => ({
        async replay(ids) {
          for (const { event, attempts } of await letters.list({ limit: Infinity })) {
            if (ids?.includes(event.id) !== false) before.set(event.id, attempts);
          }
          return letters.replay(ids);
        },
      }));
    },
  },
  {
    name: 'remove-takes-all',
    wrong: 'Removing some dead letters removes all.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async remove(ids) {
          const all = await letters.list({ limit: Infinity });
          const wanted = all.filter(({ event }) => ids?.includes(event.id) !== false);
          if (wanted.length < all.length) alive();
          await letters.remove();
          return wanted.length;
        },
      })),
  },
];

type Return = Parameters<QueueDriver['nack']>[0][number];

/** `driver`, with other returns; not of what becomes a dead letter. */
function withReturns(
  driver: QueueDriver<string>,
  alive: Alive,
  change: (back: Return) => Partial<Return>,
): QueueDriver<string> {
  return changed(driver, {
    nack: (returns) =>
      driver.nack(
        returns.map((back) => {
          const other = back.deadLetter ? back : { ...back, ...change(back) };
          if (other.delayMs !== back.delayMs) alive();
          return other;
        }),
      ),
  });
}

/** `driver`, with something else done with what is given up. */
function aroundBurials(
  driver: QueueDriver<string>,
  bury: (burials: readonly Return[]) => Promise<readonly (boolean | Error)[]>,
): QueueDriver<string> {
  return changed(driver, {
    async nack(returns) {
      const burials = returns.filter(({ deadLetter }) => deadLetter);
      const others = returns.filter(({ deadLetter }) => !deadLetter);
      const buried = burials.length === 0 ? [] : await bury(burials);
      const returned = others.length === 0 ? [] : await driver.nack(others);
      return returns.map((back) =>
        back.deadLetter ? buried[burials.indexOf(back)] === true : returned[others.indexOf(back)] === true,
      );
    },
  });
}

/** `driver`, with other dead letters. */
export function withLetters(
  driver: QueueDriver<string>,
  change: (letters: DeadLetters) => Partial<DeadLetters>,
): QueueDriver<string> {
  const letters = driver.deadLetters as DeadLetters;
  return changed(driver, { deadLetters: changed(letters, change(letters)) });
}

/**
 * What was given back keeps its places in the queue, but which event stands at which of them is decided here: the one that
 * was given back last stands at the first.
 */
function returnsLastFirst(driver: QueueDriver<string>, alive: Alive): QueueDriver<string> {
  /** In the order of the queue. */
  const pushed: string[] = [];
  /** Which place a receipt is of, and which event was handed out with it. */
  const held = new Map<unknown, { readonly place: string; readonly event: QueueEvent }>();
  let places: string[] = [];
  let events: QueueEvent[] = [];
  const substituted = withLeases(driver, (lease) => {
    const place = lease.event.id;
    if (!pushed.includes(place)) pushed.push(place);
    const index = places.indexOf(place);
    const event = events[index] ?? lease.event;
    if (event.id !== place) alive();
    places = places.filter((_place, other) => other !== index);
    events = events.filter((_event, other) => other !== index);
    held.set(lease.receipt, { place, event });
    return { ...lease, event };
  });
  return changed(substituted, {
    async nack(returns) {
      const answers = await driver.nack(returns);
      for (const [index, { receipt }] of returns.entries()) {
        const known = held.get(receipt);
        if (!answers[index] || known === undefined) continue;
        places = [...places, known.place].toSorted((a, b) => pushed.indexOf(a) - pushed.indexOf(b));
        events = [known.event, ...events];
      }
      return answers;
    },
  });
}
