import { isDeepStrictEqual } from 'node:util';
import type { DispatcherOptions, ErrorContext } from '../../dispatcher-options.ts';
import { NqError } from '../../errors.ts';
import { deadLetter } from '../../outcome.ts';
import type { MessageQueue } from '../../queue.ts';
import { needs, type Requirement, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { trialType } from '../trial-parts.ts';
import { gate, instead, watchQueue } from '../watched-queue.ts';
import { severalOn } from './dispatcher.ts';

/** Retries without chance, and soon: what a queue cannot delay is held for some milliseconds. */
const soon = { inPlace: 0, delayMs: 5, maxDelayMs: 20, jitter: 0 };

/** `drain()` resolves when the queue says that it is empty. */
const exactSize: Requirement = {
  text: 'size: exact',
  capabilities: ['size'],
  holds: ({ size }) => size === 'exact',
};

/** §10, third part: dead letters, and how a dispatcher accounts for what it has done. */
export const dispatcherOutcomeRules: readonly Rule[] = [
  {
    id: '10.10',
    slug: 'dead-letter-before-ack',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'An event that is given up is acknowledged only after the dead-letter queue has confirmed that it has it, with the reason and the number of attempts; if that fails, it is kept, told to onError, and tried again.',
    why: 'Bad events and a broken dead-letter queue come together, since both are made by the same outage; whoever acknowledges first loses exactly the events that were to be looked at.',
    checkFirst: 'Is the push into the dead-letter queue awaited, and its failure not caught, before ack() is called?',
    mutants: [
      'ack-before-dlq-confirm',
      'dlq-not-awaited',
      'dlq-failure-drops',
      'dlq-failure-silent',
      'dlq-without-reason',
    ],
    async run(trial) {
      const queue = await trial.open();
      const grave = await trial.neighbour('dead-letters');
      let confirmed = false;
      let early = false;
      const watched = watchQueue(trial, queue, () => (early ||= !confirmed));
      const hanging = gate();
      let pushes = 0;
      const deadLetterQueue = instead<MessageQueue>(grave.queue.raw, {
        async push(event, options) {
          pushes++;
          if (pushes === 1) throw new NqError('NQ_UNAVAILABLE', 'Cannot push: on purpose');
          if (pushes === 2) await hanging.passed;
          await grave.queue.raw.push(event, options);
          confirmed = true;
        },
      });
      const told: string[] = [];
      const dispatcher = trial.dispatcher(watched.queue, {
        retry: { ...soon, maxAttempts: 1 },
        deadLetterQueue,
        onError: (_error, { during }) => void told.push(during),
      });
      dispatcher.on(trialType, alwaysFails);
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      const unconfirmed = 'ack() was called before the dead-letter queue had the event';
      await trial.until(
        () => pushes >= 2 || early,
        'the event given up again after its dead-letter queue had refused it',
      );
      trial.verify(!early, unconfirmed);
      trial.verify(
        told.includes('dead-letter' satisfies ErrorContext['during']),
        'onError was not told of the refused push',
      );
      await trial.wait(trial.timing.quietMs);
      trial.verify(!early, unconfirmed);
      hanging.open();
      await trial.until(() => watched.asked(event).includes('ack'), 'the event acknowledged after it was confirmed');
      trial.verify(!early, unconfirmed);
      const letter = await trial.take(grave.queue, 'the dead letter');
      const { nqreason = '', nqattempts = '' } = letter.event.headers ?? {};
      trial.verify(letter.event.id === event?.id, 'the dead letter is another event');
      trial.verify(nqreason.includes('on purpose'), () => `its nqreason is ${JSON.stringify(nqreason)}`);
      trial.verify(Number(nqattempts) >= 2, () => `its nqattempts is ${JSON.stringify(nqattempts)}`);
      await letter.ack();
      await dispatcher.stop();
      await trial.nothing(queue, 'it is a dead letter');
      await grave.leave();
    },
  },
  {
    id: '10.11',
    slug: 'attempts-bounded',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'An event whose handler always fails is handed to it in maxAttempts attempts and not in one more, and is one dead letter then, neither handled nor handed out again.',
    why: 'One attempt too few or too many is a limit that means something else; an event that is a dead letter and comes back is handled for ever, and found in the dead letters a thousand times.',
    checkFirst: 'Is the attempt of the delivery compared with maxAttempts, by what counts every hand-out from 1?',
    mutants: ['dlq-off-by-one', 'dlq-too-soon', 'dlq-and-redeliver', 'dlq-twice'],
    async run(trial) {
      const queue = await trial.open();
      const grave = await trial.neighbour('dead-letters');
      const maxAttempts = 3;
      const dispatcher = trial.dispatcher(queue, {
        retry: { ...soon, maxAttempts },
        deadLetterQueue: grave.queue.raw,
      });
      const attempts: number[] = [];
      dispatcher.on(trialType, (_event, { attempt }) => {
        attempts.push(attempt);
        throw new Error('on purpose');
      });
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      const letter = await trial.take(grave.queue, 'the dead letter');
      await letter.ack();
      await trial.wait(trial.timing.quietMs);
      await dispatcher.stop();
      await trial.nothing(queue, 'it is a dead letter');
      trial.verify(letter.event.id === event?.id, 'the dead letter is another event');
      const wrong = attempts.filter((attempt, index) => attempt >= maxAttempts !== (index === attempts.length - 1));
      trial.verify(
        wrong.length === 0,
        () => `with maxAttempts ${maxAttempts} the handler has run in the attempts ${attempts.join(', ')}`,
      );
      const more = await trial.drain(grave.queue);
      trial.verify(more.length === 0, `the event is in the dead-letter queue ${more.length + 1} times`);
      await grave.leave();
    },
  },
  {
    id: '10.13',
    slug: 'counts-add-up',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'stats() counts every event once where it ended, as handled or as dead letter, every failed run and every retry.',
    why: 'Whoever is woken at night by these numbers, or is not, has nothing else to go by.',
    checkFirst: 'Is each counter raised where the thing has happened, not where it was asked for?',
    mutants: ['counts-failures-as-handled', 'counts-reset-by-stop', 'retries-not-counted'],
    async run(trial) {
      const queue = await trial.open();
      const grave = await trial.neighbour('dead-letters');
      // Retried at once: an event that is held meanwhile is covered by the ack of a later one, where acks are cumulative.
      const options: DispatcherOptions = {
        retry: { maxAttempts: 2, inPlace: 0, delayMs: 0, maxDelayMs: 0, jitter: 0 },
        deadLetterQueue: grave.queue.raw,
      };
      const dispatcher = trial.dispatcher(queue, options);
      const counted = { done: 0, failed: 0 };
      const ends = (): void => void counted.done++;
      const fails = (): never => {
        counted.failed++;
        throw new Error('on purpose');
      };
      dispatcher.on(`${trialType}.always`, fails);
      dispatcher.on(`${trialType}.once`, (_event, { attempt }) => (attempt === 1 ? fails() : ends()));
      dispatcher.on(trialType, ends);
      const workers = severalOn(trial, 3);
      await dispatcher.start(workers);
      const settled = async (count: number): Promise<void> => {
        await trial.until(async () => {
          const { handled, deadLettered, running } = await dispatcher.stats();
          return handled + deadLettered >= count && running === 0;
        }, `${count} events counted as handled or as dead letters`);
      };
      for (const kind of ['', '.once', '.always']) {
        await trial.push(queue, 2, { type: `${trialType}${kind}` });
        await settled({ '': 2, '.once': 4, '.always': 6 }[kind] as number);
      }
      await dispatcher.stop();
      await dispatcher.start(workers);
      await trial.push(queue, 1);
      await settled(7);
      await trial.wait(trial.timing.quietMs);
      const { handled, failed, retried, deadLettered, kept, unsettled, unknownType } = await dispatcher.stats();
      const seen = { handled, failed, retried, deadLettered, kept, unsettled, unknownType };
      const expected = {
        handled: counted.done,
        failed: counted.failed,
        retried: counted.failed - 2,
        deadLettered: 2,
        kept: 0,
        unsettled: 0,
        unknownType: 0,
      };
      trial.verify(
        isDeepStrictEqual(seen, expected),
        () => `the handlers have counted ${JSON.stringify(expected)}, and stats() says ${JSON.stringify(seen)}`,
      );
      trial.verify(counted.done === 5, `of 5 events that can be handled, ${counted.done} were`);
      const letters = await trial.collect(grave.queue, 2);
      trial.verify(
        letters.length === 2,
        `of 2 events that always fail, ${letters.length} are in the dead-letter queue`,
      );
      await grave.leave();
    },
  },
  {
    id: '10.14',
    slug: 'own-dead-letters',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    requires: needs.deadLetter,
    text: 'Without a deadLetterQueue, an event that is given up is one dead letter of its own queue, with the reason; a queue that keeps none keeps the event instead, and hands it out again.',
    why: 'To give up must mean that somebody can look at the event later: where there is no place for that, an event that comes back is a nuisance, and one that is gone is a loss that nobody notices.',
    checkFirst: 'Is capabilities.deadLetter looked at, and is nack({ deadLetter: true, reason }) what is called?',
    mutants: ['own-dead-letter-acked', 'dead-letter-reason-lost', 'given-up-to-nowhere', 'kept-not-told'],
    async run(trial) {
      const queue = await trial.open();
      const dispatcher = trial.dispatcher(queue, { retry: { ...soon, maxAttempts: 2 } });
      dispatcher.on(trialType, alwaysFails);
      const hopeless = `${trialType}.hopeless`;
      dispatcher.on(hopeless, () => deadLetter('it is hopeless'));
      await dispatcher.start(1);
      const [failing] = await trial.push(queue, 1);
      await trial.until(
        async () => (await queue.deadLetters.count()) >= 1,
        'a dead letter of the event that always fails',
      );
      const [given] = await trial.push(queue, 1, { type: hopeless });
      await trial.until(
        async () => (await queue.deadLetters.count()) >= 2,
        'a dead letter of the event that is given up',
      );
      await trial.wait(trial.timing.quietMs);
      await dispatcher.stop();
      await trial.nothing(queue, 'it is a dead letter');
      const letters = await queue.deadLetters.list();
      trial.verify(letters.length === 2, `2 events were given up, and ${letters.length} are dead letters`);
      const reasons = [
        [failing, 'on purpose', 2],
        [given, 'it is hopeless', 1],
      ] as const;
      for (const [event, reason, attempts] of reasons) {
        const letter = letters.find((one) => one.event.id === event?.id);
        trial.verify(letter !== undefined, 'an event that was given up is no dead letter');
        trial.verify(
          letter?.reason.includes(reason) === true,
          () => `the reason of a dead letter is ${JSON.stringify(letter?.reason)}; it was given up with ${reason}`,
        );
        trial.verify(
          (letter?.attempts ?? 0) >= attempts,
          `a dead letter after ${attempts} attempts counts ${letter?.attempts}`,
        );
      }
    },
    async otherwise(trial) {
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      const told: string[] = [];
      const dispatcher = trial.dispatcher(watched.queue, {
        retry: { ...soon, maxAttempts: 1 },
        onError: (_error, { during }) => void told.push(during),
      });
      dispatcher.on(trialType, alwaysFails);
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      await trial.until(
        () => watched.of(event).length >= 3 || watched.asked(event).includes('ack'),
        'the event that nobody keeps as a dead letter handed out again',
      );
      const lost = 'an event was acknowledged that has failed and has no place as a dead letter';
      trial.verify(!watched.asked(event).includes('ack'), lost);
      trial.verify(
        told.includes('dead-letter' satisfies ErrorContext['during']),
        'onError was not told that it was kept',
      );
      const { deadLettered, kept } = await dispatcher.stats();
      trial.verify(
        deadLettered === 0 && kept >= 2,
        `stats() counts ${deadLettered} dead letters and ${kept} kept events`,
      );
      await dispatcher.stop();
      await (await trial.take(queue, 'the event that was kept')).ack();
    },
  },
  {
    id: '10.15',
    slug: 'drain-waits',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    requires: exactSize,
    text: 'drain() resolves when the queue is empty and every handler has ended, delayed retries too, and not before.',
    why: 'A job that drains before it ends leaves without the events that were just being handled or retried.',
    checkFirst: 'Are deliveries in flight and delayed events counted as well as those that are ready?',
    mutants: ['drain-early', 'drain-ignores-delayed', 'drain-hangs'],
    run: drains,
  },
];

async function drains(trial: Trial): Promise<void> {
  const queue = await trial.open();
  const { quietMs } = trial.timing;
  const delayMs = trial.capabilities.ack === 'individual' ? 2 * quietMs : 0;
  const retry = { ...soon, maxAttempts: 1000, delayMs, maxDelayMs: delayMs };
  const dispatcher = trial.dispatcher(queue, { retry });
  const hanging = gate();
  const ended = new Set<string>();
  let running = 0;
  dispatcher.on(trialType, async ({ id }) => {
    running++;
    await hanging.passed;
    ended.add(id);
  });
  const failing = `${trialType}.fails-once`;
  dispatcher.on(failing, ({ id }, { attempt }) => {
    if (attempt === 1) throw new Error('on purpose');
    ended.add(id);
  });
  const workers = severalOn(trial, 2);
  await trial.push(queue, workers);
  await dispatcher.start(workers);
  await trial.until(() => running === workers, 'every worker busy');
  const first = dispatcher.drain();
  await trial.pending(first, 'drain() with handlers that run');
  hanging.open();
  await trial.within(first, 'drain() after the handlers have ended');
  trial.verify(ended.size === workers, () => `drain() resolved when ${ended.size} of ${workers} events were handled`);
  await trial.push(queue, 1, { type: failing });
  await trial.within(dispatcher.drain(), 'drain() with an event that fails once');
  trial.verify(ended.size === workers + 1, 'drain() resolved before the event that failed once was handled');
}

function alwaysFails(): never {
  throw new Error('on purpose');
}
