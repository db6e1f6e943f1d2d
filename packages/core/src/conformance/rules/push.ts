import { isNqError } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { collectPages, longLeaseMs } from './full-queue.ts';
import { differenceOf, longData, weirdAttributes, weirdData } from './weird-events.ts';

/** More than a driver puts into one request, several times over. */
const manyEvents = 1540;
/** Beyond it, a limit is not looked for: events so large would only test the memory of the machine. */
const largestTried = 8 * 2 ** 20;
/** More than the attributes of an event take besides its data. */
const attributeBytes = 4096;

/** §1: putting events in, and what becomes of them. */
export const pushRules: readonly Rule[] = [
  {
    id: '1.1',
    slug: 'push-delivered',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'Every event whose push has resolved is handed out, once as long as nothing goes wrong, whether it was pushed alone, together with others, or in a batch.',
    why: 'An event that was accepted and never comes is lost without a trace, and one that always comes twice is an order that is always paid twice; suites that stop at the expected count, or leave doubles out of it, see neither (Watermill, Dapr).',
    checkFirst:
      'Does push wait for the answer of the backend, and is every page of a large request sent and read to its end?',
    mutants: ['drop-7th', 'lose-first', 'lose-last', 'duplicate-always'],
    async run(trial) {
      const queue = await trial.open({ capacity: 2 * manyEvents, leaseMs: longLeaseMs(trial) });
      const events = trial.events(Math.min(manyEvents, queue.capacity));
      for (const event of events.slice(0, 20)) await queue.push(event);
      await Promise.all(events.slice(20, 40).map((event) => queue.push(event)));
      await queue.pushMany(events.slice(40));
      const deliveries: Delivery[] = [];
      for (const alone of await trial.takeMany(queue, Math.min(10, events.length))) {
        deliveries.push(alone);
        await alone.ack();
      }
      deliveries.push(...(await collectPages(trial, queue, events.length - deliveries.length)));
      trial.verifySame(deliveries, events, false);
    },
  },
  {
    id: '1.2',
    slug: 'push-copies',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.copies,
    text: 'An event is taken as it is at the moment of the call: what the producer, or a consumer, does to its object afterwards reaches no delivery.',
    why: 'Code that fills the same object again for the next event, or a handler that changes its input before it fails, works in tests and corrupts events in production.',
    checkFirst: 'Is the event written out before the first await of push, and made anew for every hand-out?',
    mutants: ['alias-producer', 'alias-consumer', 'encodes-late'],
    async run(trial) {
      const queue = await trial.open();
      for (const push of [
        (event: QueueEvent) => queue.push(event),
        (event: QueueEvent) => {
          const list = [event];
          const stored = queue.pushMany(list);
          list.length = 0;
          return stored;
        },
      ]) {
        const event = spoilable(trial);
        const before = { ...event, headers: { ...event.headers }, data: copyOf(trial, event.data) };
        const verify = ({ event: came }: Delivery, who: string): void => {
          const difference = differenceOf(came, before, (a, b) => trial.sameData(a, b));
          trial.verify(
            difference === undefined,
            `another thing came than was pushed, for ${who} changed it: ${difference}`,
          );
        };
        const stored = push(event);
        spoil(event);
        await stored;
        const first = await trial.take(queue);
        verify(first, 'the producer');
        spoil(first.event);
        await first.nack();
        const second = await trial.take(queue);
        verify(second, 'the first consumer');
        await second.ack();
      }
    },
    async otherwise(trial) {
      const queue = await trial.open();
      const event = spoilable(trial);
      await queue.push(event);
      const delivery = await trial.take(queue);
      trial.verify(delivery.event.data === event.data, "the data is a copy, not the producer's own object");
      await delivery.ack();
    },
  },
  {
    id: '1.3',
    slug: 'push-fidelity',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'An event comes out as it was pushed: every attribute and every byte of it, whatever is in it.',
    why: 'False values that get lost, bytes that become text, headers that are dropped: each is found by the one customer whose data is like that (keyv passes its own suite with a store that loses false).',
    checkFirst:
      'Is a value tested for being there by its truth instead of by undefined, or written in an encoding that does not hold it?',
    mutants: [
      'utf8-mangle',
      'cuts-characters-at-64k',
      'long-text-by-units',
      'falsy-lost',
      'stringifies-bytes',
      'whole-buffer',
      'cuts-bytes-at-64k',
      'cuts-names-at-255',
      'composes-keys',
      'normalises-text',
      'drop-headers',
      'lower-cases-headers',
      'lower-cases-values',
      'drop-key',
      'trims-key',
      'time-in-seconds',
      'time-zero-is-now',
      'revives-dates',
      'lanes-in-an-object',
    ],
    async run(trial) {
      const queue = await trial.open();
      const mostBytes = Math.min(trial.capabilities.maxPayloadBytes - attributeBytes, largestTried);
      const table = [
        ...weirdAttributes,
        ...(trial.carriesAnything ? [...weirdData, ...longData(Math.max(mostBytes, 0))] : []),
      ];
      const pushed = table.map(({ what, changes }) => ({ what, event: trial.event(changes) }));
      const pushing = async (): Promise<void> => {
        for (const { event } of pushed) await queue.push(event);
      };
      // At the same time, for there may be room for a few only.
      const [deliveries] = await Promise.all([trial.collect(queue, pushed.length), pushing()]);
      const verify = (what: string, event: QueueEvent, came: QueueEvent | undefined): void => {
        trial.verify(came !== undefined, `${what}: the event did not come`);
        const difference = came && differenceOf(came, event, (a, b) => trial.sameData(a, b));
        trial.verify(difference === undefined, `${what}: came otherwise than it was pushed: ${difference}`);
      };
      for (const { what, event } of pushed) {
        verify(what, event, deliveries.find((one) => one.event.id === event.id)?.event);
      }
      // Alone, for by its id it could not be told from a stranger.
      const named = trial.event({ id: `${trial.event().id} "ключ"\n🗝 cafe\u0301 ${'long '.repeat(60)}` });
      await queue.push(named);
      const delivery = await trial.take(queue);
      verify('an id that is long and not in ASCII', named, delivery.event);
      await delivery.ack();
    },
  },
  {
    id: '1.4',
    slug: 'push-payload',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    looksAt: ['maxPayloadBytes'],
    text: 'An event that the queue cannot carry whole is refused with NQ_PAYLOAD and nothing of it is stored, nor of the batch it is in; nothing is ever cut off.',
    why: 'A cut-off event poisons the consumer long after its producer was told that all is well.',
    checkFirst:
      'Is the event written, and its size compared with maxPayloadBytes, before the first one of a batch is sent?',
    mutants: ['truncate-64k', 'loses-oversize', 'bigint-becomes-null', 'partial-enqueue', 'counts-characters'],
    async run(trial) {
      const queue = await trial.open();
      const stored: QueueEvent[] = [];
      for (const [what, data] of unlikely(trial)) {
        const event = trial.event({ data });
        // Whoever can carry it may; whoever cannot says so.
        if (await accepted(trial, queue.push(event), what)) stored.push(event);
      }
      const { maxPayloadBytes: limit } = trial.capabilities;
      if (trial.carriesAnything) {
        const most = Math.min(Math.max(limit - attributeBytes, 1), largestTried);
        const large = trial.event({ data: 'x'.repeat(limit === Infinity ? 2 ** 18 : most) });
        await queue.push(large);
        stored.push(large);
      }
      if (trial.carriesAnything && limit <= largestTried) {
        const tooLarge = trial.event({ data: 'x'.repeat(limit) });
        const what = `push of more than the ${limit} bytes that are declared`;
        await trial.rejects(queue.push(tooLarge), 'NQ_PAYLOAD', what);
        const batch = [trial.event(), trial.event(), tooLarge];
        await trial.rejects(queue.pushMany(batch), 'NQ_PAYLOAD', `the last of a batch: ${what}`);
        // Fewer characters than the limit, and more bytes.
        const wide = trial.event({ data: 'ü'.repeat(Math.floor(limit / 2) + 10) });
        await trial.rejects(queue.push(wide), 'NQ_PAYLOAD', `${what}, in characters of two bytes each,`);
      }
      const batch = [trial.event(), trial.event({ data: () => {} })];
      await trial.rejects(queue.pushMany(batch), 'NQ_PAYLOAD', 'pushMany with a function as data');
      const sentinel = trial.event();
      await queue.push(sentinel);
      stored.push(sentinel);
      const deliveries = await trial.collect(queue, stored.length);
      trial.verifySame(deliveries, stored, false);
      for (const { event } of deliveries) {
        const pushed = stored.find(({ id }) => id === event.id) as QueueEvent;
        const difference = differenceOf(event, pushed, (a, b) => trial.sameData(a, b));
        trial.verify(difference === undefined, `an event came otherwise than it was pushed: ${difference}`);
      }
    },
  },
];

/** What JSON does not carry: some queues do. */
function unlikely(trial: Trial): [string, unknown][] {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const always: [string, unknown][] = [
    ['a function', () => {}],
    ['a symbol', Symbol('nq')],
    ['a bigint', 1n],
  ];
  if (!trial.carriesAnything) return always;
  return [...always, ['an object that holds itself', cycle], ['a bigint in an object', { amount: 1n }]];
}

/** Whether the push was accepted. @throws {Violation} if it was refused otherwise than with NQ_PAYLOAD. */
async function accepted(trial: Trial, push: Promise<void>, what: string): Promise<boolean> {
  try {
    await push;
    return true;
  } catch (error) {
    trial.verify(isNqError(error, 'NQ_PAYLOAD'), `push of ${what} was refused, but not with NQ_PAYLOAD`);
    return false;
  }
}

/** What {@link spoilable} carries where the harness lets it. */
interface Spoilable {
  text: string;
  readonly list: number[];
}

/** An event that {@link spoil} can change in every place. */
function spoilable(trial: Trial): QueueEvent {
  const data: Spoilable = { text: 'as it was', list: [1, 2] };
  return trial.event({ key: 'a', headers: { shade: 'blue' }, ...(trial.carriesAnything ? { data } : {}) });
}

function copyOf(trial: Trial, data: unknown): unknown {
  return trial.carriesAnything ? structuredClone(data) : data;
}

/** Changes everything in `event` but its id. */
function spoil(event: QueueEvent): void {
  const { data, headers } = event as QueueEvent<Partial<Spoilable>>;
  const changes = [
    () => Object.assign(event, { type: 'spoiled', key: 'spoiled', time: 1 }),
    () => Object.assign(headers ?? {}, { shade: 'spoiled', more: 'spoiled' }),
    () => data?.list?.push(3),
    () => {
      if (data?.text !== undefined) Object.assign(data, { text: 'spoiled' });
    },
  ];
  for (const change of changes) {
    try {
      change();
    } catch {
      // A queue may hand out what nobody can change.
    }
  }
}
