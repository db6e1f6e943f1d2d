import type { DeadLetter, QueueDriver } from '../../../src/index.ts';
import { type Alive, changed, type Mutant } from '../mutant.ts';
import { withLetters } from './retry.ts';

/** How many settlements backends take in one request, and how the names of mutants say it. */
const batches = [
  [10, 'ten'],
  [200, 'two-hundred'],
] as const;

/** How many dead letters a list shows at most that shows too few. */
const fewLetters = 10;

/** How many dead letters are on one page. */
const page = 100;

/** Wrong about many at once. */
export const bulkMutants: readonly Mutant[] = [
  ...batches.flatMap(([batch, named]): Mutant[] => {
    return [
      {
        name: `ack-drops-beyond-${named}`,
        wrong: `A request carries ${batch} acknowledgements; those beyond are answered as if they had been carried out.`,
        driver: (driver, alive) =>
          changed(driver, {
            async ack(receipts) {
              if (receipts.length > batch) alive();
              const answers = await driver.ack(receipts.slice(0, batch));
              return receipts.map((_receipt, index) => answers[index] ?? true);
            },
          }),
      },
      {
        name: `nack-drops-beyond-${named}`,
        wrong: `A request carries ${batch} events that are given back; those beyond are answered as if they had been carried out.`,
        driver: (driver, alive) =>
          changed(driver, {
            async nack(returns) {
              if (returns.length > batch) alive();
              const answers = await driver.nack(returns.slice(0, batch));
              return returns.map((_back, index) => answers[index] ?? true);
            },
          }),
      },
    ];
  }),
  {
    name: 'nack-of-batch-takes-first-delay',
    wrong: 'All that is given back in one request gets the delay of the first one.',
    driver: (driver, alive) =>
      changed(driver, {
        nack(returns) {
          const { delayMs = 0 } = returns[0] ?? {};
          if (returns.some((back) => back.delayMs !== delayMs)) alive();
          return driver.nack(returns.map((back) => ({ ...back, delayMs })));
        },
      }),
  },
  {
    name: 'dead-letters-in-order-of-pushes',
    wrong: 'Dead letters are listed in the order in which their events were pushed.',
    driver(driver, alive) {
      const pushed: string[] = [];
      const numbering = changed(driver, {
        encode(event) {
          pushed.push(event.id);
          return driver.encode(event);
        },
      });
      return withLetters(numbering, (letters) => ({
        async list({ limit = page } = {}) {
          const all = await letters.list({ limit: Infinity });
          const place = ({ event }: DeadLetter): number => pushed.indexOf(event.id);
          const sorted = all.toSorted((a, b) => place(a) - place(b));
          if (sorted.some((letter, index) => letter !== all[index])) alive();
          return sorted.slice(0, limit);
        },
      }));
    },
  },
  {
    name: 'dead-letters-listed-by-ten',
    wrong: 'A list of dead letters shows ten at most.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async list(options) {
          const listed = await letters.list(options);
          if (listed.length > fewLetters) alive();
          return listed.slice(0, fewLetters);
        },
      })),
  },
  {
    name: 'replay-of-none-is-all',
    wrong: 'replay() of an empty list of ids replays everything.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        replay(ids) {
          if (ids?.length !== 0) return letters.replay(ids);
          alive();
          return letters.replay();
        },
      })),
  },
  {
    name: 'remove-of-none-is-all',
    wrong: 'remove() of an empty list of ids removes everything.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        remove(ids) {
          if (ids?.length !== 0) return letters.remove(ids);
          alive();
          return letters.remove();
        },
      })),
  },
  {
    name: 'replay-counts-what-was-asked',
    wrong: 'replay() of several ids resolves how many were named, not how many were found.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async replay(ids) {
          const count = await letters.replay(ids);
          const asked = ids !== undefined && ids.length > 1 ? new Set(ids).size : count;
          if (asked !== count) alive();
          return asked;
        },
      })),
  },
  {
    name: 'replay-repeats-what-is-named-twice',
    wrong: 'A dead letter that is named twice is replayed twice.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async replay(ids) {
          const twice = new Set(ids?.filter((id, index) => ids.indexOf(id) !== index));
          const named = (await letters.list({ limit: Infinity })).filter(({ event }) => twice.has(event.id));
          const count = await letters.replay(ids);
          if (named.length > 0) alive();
          await driver.push(named.map(({ event }) => driver.encode(event)));
          return count + named.length;
        },
      })),
  },
  {
    name: 'replay-within-capacity',
    wrong: 'Only as many dead letters are replayed as there is room for.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async replay(ids) {
          const { ready, delayed } = await driver.size();
          const room = Math.max(0, driver.capacity - ready - delayed);
          const all = (await letters.list({ limit: Infinity })).map(({ event }) => event.id);
          const wanted = all.filter((id) => ids?.includes(id) !== false);
          if (wanted.length > room) alive();
          return letters.replay(wanted.slice(0, room));
        },
      })),
  },
  {
    name: 'replay-newest-first',
    wrong: 'What is replayed is put into the queue from the newest dead letter on.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        async replay(ids) {
          const all = (await letters.list({ limit: Infinity })).map(({ event }) => event.id);
          const wanted = all.filter((id) => ids?.includes(id) !== false).toReversed();
          if (wanted.length > 1) alive();
          let count = 0;
          for (const id of wanted) count += await letters.replay([id]);
          return count;
        },
      })),
  },
  {
    name: 'dead-letters-limited-to-a-page',
    wrong: 'A list of dead letters shows a page at most, whatever the limit.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => ({
        list({ limit = page } = {}) {
          if (limit > page) alive();
          return letters.list({ limit: Math.min(limit, page) });
        },
      })),
  },
  ...(['replay', 'remove'] as const).map((verb): Mutant => {
    return {
      name: `${verb}-takes-a-page`,
      wrong: `${verb}() touches dead letters of the first page only.`,
      driver: (driver, alive) =>
        withLetters(driver, (letters) => ({
          async [verb](ids?: readonly string[]) {
            const listed = await letters.list({ limit: page });
            if ((await letters.count()) > page) alive();
            const onPage = listed.map(({ event }) => event.id);
            return letters[verb](onPage.filter((id) => ids?.includes(id) !== false));
          },
        })),
    };
  }),
  {
    name: 'replay-looks-then-moves',
    wrong: 'A replay looks for dead letters first, and pushes what it has seen, also if it is gone meanwhile.',
    delayMs: 2,
    driver: (driver, alive) => lookingFirst(driver, alive, 'replay'),
  },
  {
    name: 'remove-looks-then-removes',
    wrong: 'Dead letters are counted before they are removed, also those that are gone meanwhile.',
    delayMs: 2,
    driver: (driver, alive) => lookingFirst(driver, alive, 'remove'),
  },
];

/** `driver`, whose `verb` looks for dead letters first, and then does it to all that it has seen. */
export function lookingFirst(
  driver: QueueDriver<string>,
  alive: Alive,
  verb: 'replay' | 'remove',
): QueueDriver<string> {
  return withLetters(driver, (letters) => ({
    async [verb](ids?: readonly string[]) {
      const all = await letters.list({ limit: Infinity });
      const seen = all.filter(({ event }) => ids?.includes(event.id) !== false);
      const moved = await letters[verb](seen.map(({ event }) => event.id));
      if (moved === seen.length) return moved;
      alive();
      if (verb === 'replay') await driver.push(seen.slice(moved).map(({ event }) => driver.encode(event)));
      return seen.length;
    },
  }));
}
