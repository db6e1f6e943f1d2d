import type { Delivery, MessageQueue } from '../../../src/index.ts';
import { type Alive, changed, type Mutant } from '../mutant.ts';
import { type Rewind, rewindTo, withRewind } from '../rewinding.ts';
import { wait } from './around.ts';

/** Wrong about the order of events, and about going back in it. */
export const orderMutants: readonly Mutant[] = [
  {
    name: 'reorder-adjacent',
    wrong: 'Now and then, two events that follow each other come in the opposite order.',
    queue: (queue, alive) => holdingBack(queue, alive, { every: 4, during: 1 }),
  },
  {
    name: 'swap-page',
    wrong: 'The last event of each page of 32 comes after the first one of the next page.',
    queue: (queue, alive) => holdingBack(queue, alive, { every: 32, during: 1 }),
  },
  {
    name: 'reorder-in-key',
    wrong: 'Now and then an event comes a few hand-outs late, when later ones of its key are done.',
    capabilities: { order: 'key' },
    queue: (queue, alive) => holdingBack(queue, alive, { every: 5, during: 6 }),
  },
  {
    name: 'reads-ahead',
    wrong: 'Each connection reads eight events ahead, whatever others hand out meanwhile.',
    queue(queue, alive) {
      let page: Delivery[] = [];
      return changed(queue, {
        async pop(options) {
          if (page.length === 0) page = [...(await queue.popMany(8, options))];
          if (page.length > 1) alive();
          return page.shift();
        },
      });
    },
  },
  {
    name: 'jitter-send',
    wrong: 'Each push takes a way of its own, some of them longer.',
    queue(queue, alive, { clock }) {
      let pushes = 0;
      return changed(queue, {
        async push(event, options) {
          alive();
          await wait(clock, [2, 0, 1][pushes++ % 3] as number);
          return queue.push(event, options);
        },
      });
    },
  },
  {
    name: 'batch-overtakes',
    wrong: 'Single pushes are gathered for a moment, and pushMany() goes past them.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async push(event, options) {
          alive();
          await wait(clock, 1);
          return queue.push(event, options);
        },
      }),
  },
  {
    name: 'hol-block',
    wrong: 'While a connection holds an event, it gets no other one, of whatever key.',
    capabilities: { order: 'key' },
    queue(queue, alive, { clock }) {
      let held = 0;
      return changed(queue, {
        async pop(options) {
          if (held > 0) {
            alive();
            await wait(clock, options?.timeoutMs ?? 1000);
            return undefined;
          }
          const delivery = await queue.pop(options);
          if (delivery === undefined) return undefined;
          held++;
          const settle = async (call: () => Promise<void>): Promise<void> => {
            await call();
            held--;
          };
          return changed(delivery, {
            ack: () => settle(() => delivery.ack()),
            nack: (back) => settle(() => delivery.nack(back)),
          });
        },
      });
    },
  },
  {
    name: 'starve-key',
    wrong: 'The key that was served last is served again, as long as it has events.',
    capabilities: { order: 'key' },
    queue(queue, alive) {
      let served: string | undefined;
      return changed(queue, {
        async pop(options) {
          const first = await queue.pop(options);
          if (first === undefined) return undefined;
          const others = first.event.key === served ? [] : await queue.popMany(100, { timeoutMs: 0 });
          const chosen = others.find(({ event }) => event.key === served) ?? first;
          if (chosen !== first) alive();
          for (const delivery of [first, ...others]) if (delivery !== chosen) await delivery.nack();
          served = chosen.event.key;
          return chosen;
        },
      });
    },
  },
  rewinding(
    'rewind-does-nothing',
    'rewind() resolves, and the queue goes on where it was.',
    (alive) => async () => alive(),
  ),
  rewinding(
    'rewind-to-start',
    'Whatever the time, rewind() goes back to the first event.',
    (alive) => async (time, rewindable) => {
      if (rewindable.log.some(({ at }) => at < time)) alive();
      await rewindTo(0, rewindable);
    },
  ),
  rewinding(
    'rewind-skips-first',
    'rewind() goes behind the first event from the time on.',
    (alive) =>
      async (time, { log, dropReady, again }) => {
        const [skipped, ...rest] = log.filter(({ at }) => at >= time);
        if (skipped !== undefined) alive();
        await dropReady();
        await again(rest);
      },
  ),
  rewinding(
    'rewind-repeats-ready',
    'What is still ready is handed out, and then everything again.',
    (alive) =>
      async (time, { driver, log, again }) => {
        if ((await driver.size()).ready > 0) alive();
        await again(log.filter(({ at }) => at >= time));
      },
  ),
];

/** A queue with a log, and a rewind that is wrong. */
function rewinding(name: string, wrong: string, rewind: (alive: Alive) => Rewind): Mutant {
  return {
    name,
    wrong,
    capabilities: { replay: true },
    driver: (driver, alive, broker) => withRewind(driver, broker, rewind(alive)),
  };
}

/** `queue`, with one of `every` so many events held back `during` so many pops. */
function holdingBack(
  queue: MessageQueue,
  alive: Alive,
  { every, during }: { readonly every: number; readonly during: number },
): MessageQueue {
  let pops = 0;
  let held: { readonly delivery: Delivery; readonly until: number } | undefined;
  return changed(queue, {
    async pop(options) {
      const number = pops++;
      const late = held;
      if (late !== undefined && number >= late.until) {
        held = undefined;
        return late.delivery;
      }
      if (late !== undefined) {
        const other = await queue.pop({ ...options, timeoutMs: 0 });
        if (other === undefined) held = undefined;
        return other ?? late.delivery;
      }
      const delivery = await queue.pop(options);
      if (delivery === undefined || number % every !== every - 1) return delivery;
      const next = await queue.pop({ timeoutMs: 0 });
      if (next === undefined) return delivery;
      alive();
      held = { delivery, until: number + during };
      return next;
    },
  });
}
