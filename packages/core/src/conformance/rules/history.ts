import { errorCodes, isNqError } from '../../errors.ts';
import { showAnomaly } from '../history/check-history.ts';
import { bounded, deep, type Profile } from '../history/profile.ts';
import { runWorkload } from '../history/workload.ts';
import type { Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import type { SeenRejection } from '../trial-parts.ts';
import { NotVerified } from '../violation.ts';
import { longLeaseMs } from './full-queue.ts';
import { shortLeaseMs } from './returned.ts';

/** §9: what must hold of everything that has happened. */
export const historyRules: readonly Rule[] = [
  {
    id: '9.1',
    slug: 'history-sound',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Under many producers and consumers at once, everything that was accepted is handed out as it was pushed, in order, and until it is done; the queue never holds more than fits, and never says that it is empty while it is not.',
    why: 'Each step is right, and two of them at once are not: the race between looking for room and storing, or between reading an event and leasing it, shows only under load.',
    checkFirst: 'Does each operation change the backend in one atomic step?',
    mutants: [
      'loses-under-contention',
      'loses-at-a-page-end',
      'checks-room-then-stores',
      'gives-up-a-lost-race',
      'hands-out-twice',
      'swaps-data-in-a-batch',
      'swaps-a-page-end',
      'loses-dead-letters',
      'buries-and-returns',
      'drops-a-nack-when-full',
      'acknowledges-what-it-closes-on',
    ],
    async run(trial) {
      await stress(trial, bounded);
      const { queue, leave } = await trial.neighbour('deep');
      await judge(trial, deep, async () => queue, false);
      await leave();
    },
  },
  {
    id: '9.2',
    slug: 'rejections-named',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Every call rejects with an NqError whose code is in the table, with a TypeError or RangeError for misuse, or with the reason of its signal; and no message holds anything of a payload.',
    why: 'Programs act on codes: the raw error of a client library makes them depend on the backend. And messages end up in logs, where personal data must not.',
    checkFirst:
      'Is every error of the client library wrapped in one place, with its message kept in the cause, and is no event printed in a message?',
    mutants: [
      'raw-error',
      'raw-error-of-a-settlement',
      'unknown-code',
      'throws-a-text',
      'payload-in-message',
      'payload-in-misuse',
      'headers-in-message',
    ],
    run: verifyRejections,
  },
  {
    id: '9.3',
    slug: 'history-sound-for-long',
    level: 'MUST',
    claim: 'core',
    tier: 'stress',
    text: 'What holds of some events at once (9.1) holds of thousands.',
    why: 'Some races come once in a thousand events: a queue that carries millions a day loses some every hour.',
    checkFirst: 'Which anomaly is named, and which two calls are in its witness? What may happen between them?',
    mutants: ['loses-under-contention', 'checks-room-then-stores', 'hands-out-twice'],
    async run(trial) {
      await stress(trial, { ...bounded, producers: 6, consumers: 6, events: 300, keys: 20, minimum: { stored: 500 } });
    },
  },
];

/** Runs a workload on the queue of the trial, which is small so that it is often full, and counts what is left. */
async function stress(trial: Trial, profile: Profile): Promise<void> {
  const queue = await trial.open({ capacity: 6, leaseMs: shortLeaseMs(trial, 500) });
  const { multiInstance } = trial.capabilities;
  const buried = await judge(trial, profile, () => (multiInstance ? trial.open() : Promise.resolve(queue)));
  await trial.nothing(queue, 'everything was done', 0);
  if (trial.capabilities.deadLetter) {
    const count = await queue.deadLetters.count();
    trial.verify(count === buried, `${buried} events were given up, and ${count} are among the dead letters`);
  }
  if (!trial.offers('inspect')) return;
  const { ready, inFlight, delayed } = await trial.inspect();
  const left = ready + inFlight + delayed;
  trial.verify(
    left === 0,
    `everything was settled, and the backend holds ${left} events: ${ready}/${inFlight}/${delayed}`,
  );
}

/** @returns how many events were given up. @throws {NotVerified} if the history proves too little. */
async function judge(trial: Trial, profile: Profile, ...place: Place): Promise<number> {
  const { verdict, anomalies, missing, buried } = await runWorkload(trial, profile, ...place);
  const [first] = anomalies;
  trial.verify(
    first === undefined,
    () => `${anomalies.length} anomalies; ${showAnomaly(first as NonNullable<typeof first>)}`,
  );
  if (verdict === 'unknown') throw new NotVerified(`the workload proved too little: ${missing.join('; ')}`);
  return buried;
}

type Place = Parameters<typeof runWorkload> extends [unknown, unknown, ...infer Rest] ? Rest : never;

/** Something that nobody can take for anything else, to be looked for in messages. */
const secret = 'PAYLOAD-7f3d91';

/** Makes calls of every kind fail, with events that hold a secret, and looks at what they reject with. */
async function verifyRejections(trial: Trial): Promise<void> {
  const queue = await trial.open({ capacity: 2, leaseMs: longLeaseMs(trial) });
  const { capacity } = queue;
  const { deadLetter, nackDelay, replay, lease, maxPayloadBytes } = trial.capabilities;
  const event = (changes = {}) => trial.event({ data: { secret }, headers: { note: secret }, ...changes });
  const push = (timeoutMs: number, changes = {}) => queue.push(event(changes), { timeoutMs });

  const misuse = await rejectionsOf(trial, [
    () => push(-1),
    () => queue.push({ data: { secret } } as never),
    () => queue.push({ type: '', data: { secret } }),
    () => queue.push({ type: 'a', id: 1, data: { secret } } as never),
    () => queue.push({ type: 'a', key: { secret }, data: secret } as never),
    () => queue.push({ type: 'a', headers: { note: { secret } }, data: secret } as never),
    () => queue.pushMany([event(), { data: secret }] as never),
    // What is given in place of an event is the payload, as often as not.
    () => queue.push(secret as never),
    () => queue.push({ type: 'a', headers: secret, data: 1 } as never),
    () => queue.pushMany([secret] as never),
    () => queue.pushMany(secret as never),
    () => queue.pop({ timeoutMs: NaN }),
    () => queue.popMany(0),
  ]);
  for (const seen of misuse)
    verifyNamed(trial, seen, (error) => error instanceof TypeError || error instanceof RangeError);

  const circular: Record<string, unknown> = { [secret]: secret };
  circular['self'] = circular;
  const calls: (() => Promise<unknown>)[] = [
    () => queue.push(event({ data: circular }), { timeoutMs: 50 }),
    () => queue.push(event({ data: { secret, big: 1n } }), { timeoutMs: 50 }),
    () => queue.push(event({ data: () => secret }), { timeoutMs: 50 }),
  ];
  if (maxPayloadBytes < 64 * 1024 * 1024)
    calls.push(() => push(50, { data: secret.repeat(maxPayloadBytes / secret.length + 1) }));
  const seen = await rejectionsOf(trial, calls);
  // A queue that hands on the object itself takes them all.
  await trial.drain(queue, 0);

  await push(trial.timing.patienceMs);
  const held = await trial.take(queue);
  if (!nackDelay) seen.push(...(await rejectionsOf(trial, [() => held.nack({ delayMs: 5 })])));
  if (!deadLetter) seen.push(...(await rejectionsOf(trial, [() => held.nack({ deadLetter: true, reason: secret })])));
  if (lease === false || !lease.extend) seen.push(...(await rejectionsOf(trial, [() => held.extend(10)])));
  if (!replay) seen.push(...(await rejectionsOf(trial, [() => queue.rewind({ time: 0 })])));
  await held.ack();
  seen.push(...(await rejectionsOf(trial, [() => held.nack()])));
  if (trial.capabilities.capacity === 'hard' && capacity <= 1000) {
    const fill = async (): Promise<void> => {
      for (let left = capacity + 1; left > 0; left--) await push(0);
    };
    seen.push(...(await rejectionsOf(trial, [fill, () => push(5)])));
  }
  const signal = AbortSignal.abort(new Error('told to give up'));
  const aborted = await rejectionsOf(trial, [() => queue.pop({ signal }), () => queue.push(event(), { signal })]);
  for (const one of aborted) verifyNamed(trial, one, (error) => error === signal.reason);

  if (trial.offers('faults')) seen.push(...(await rejectionsWhileCut(trial, queue, event)));
  await trial.drain(queue, 0);
  await push(trial.timing.patienceMs);
  const late = await trial.take(queue);
  await queue.close();
  seen.push(...(await rejectionsOf(trial, [() => late.ack(), () => push(0), () => queue.pop(), () => queue.size()])));
  for (const one of seen) verifyNamed(trial, one, () => false);
}

async function rejectionsWhileCut(
  trial: Trial,
  queue: Awaited<ReturnType<Trial['open']>>,
  event: () => ReturnType<Trial['event']>,
): Promise<SeenRejection[]> {
  const { patienceMs, quietMs } = trial.timing;
  const held = await queue.pop({ timeoutMs: 0 });
  const seen: SeenRejection[] = [];
  for (const how of ['cut', 'cutBeforeAnswer'] as const) {
    await trial.faults[how]();
    const calls: (() => Promise<unknown>)[] = [
      () => queue.push(event(), { timeoutMs: quietMs }),
      () => queue.pop({ timeoutMs: quietMs }),
      () => queue.size(),
    ];
    if (held !== undefined) calls.push(() => held.ack());
    seen.push(...(await rejectionsOf(trial, calls)));
    await trial.faults.heal();
  }
  await trial.until(
    async () => {
      try {
        await queue.size();
        return true;
      } catch {
        return false;
      }
    },
    'size() resolves after the connection is back',
    patienceMs,
  );
  return seen;
}

/** What `calls`, one after the other, reject with. */
async function rejectionsOf(trial: Trial, calls: readonly (() => Promise<unknown>)[]): Promise<SeenRejection[]> {
  const before = trial.rejections.length;
  for (const call of calls) await call().catch(() => {});
  return trial.rejections.slice(before);
}

/** Verifies that an error can be acted on, and tells nothing that it must not. */
function verifyNamed(trial: Trial, { what, error }: SeenRejection, isAllowed: (error: unknown) => boolean): void {
  const isKnown = isNqError(error) && error instanceof Error && Object.hasOwn(errorCodes, error.code);
  trial.verify(
    isKnown || isAllowed(error),
    () => `${what} rejected with something that is no error of the table: ${kindOf(error)}`,
  );
  trial.verify(!texts(error).some((text) => text.includes(secret)), () => `the error of ${what} holds payload`);
}

function kindOf(error: unknown): string {
  if (isNqError(error)) return `an NqError with the code ${JSON.stringify(error.code)}`;
  return error instanceof Error ? `a raw ${error.name}` : `a thrown ${typeof error}`;
}

/** What people get to read of an error; of its causes only what they are called, for those are not ours to write. */
function texts(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const names: string[] = [];
  for (let cause = error.cause; cause instanceof Error && names.length < 10; { cause } = cause) names.push(cause.name);
  const own = Object.values(error).filter((value) => typeof value === 'string');
  return [error.name, error.message, ...own, ...names];
}
