import { isDeepStrictEqual } from 'node:util';
import { isNqError, NqError } from '../../errors.ts';
import { retryAfter } from '../../outcome.ts';
import type { SynchronousQueue } from '../../queue.ts';
import { needs, type Rule } from '../rule.ts';
import { trialType } from '../trial-parts.ts';
import { gate, instead, watchQueue } from '../watched-queue.ts';
import { shortLeaseMs } from './returned.ts';

/** Retries by which an event that fails comes back at once, and as often as it takes. */
const atOnce = { maxAttempts: 1000, inPlace: 0, delayMs: 0, maxDelayMs: 0, jitter: 0 };
/** After a failed pop, the next one must not come sooner than this, in milliseconds. */
const leastPauseMs = 10;

/** §10, second part: what a dispatcher does with what fails, on every queue. */
export const dispatcherFailureRules: readonly Rule[] = [
  {
    id: '10.3',
    slug: 'failure-comes-back',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'smoke',
    text: 'An event whose handler throws or rejects, with an Error or anything else, is told to onError and given back, and the dispatcher goes on, also if onError throws.',
    why: 'A failure that counts as success is a lost event; one that ends the loop is a program that runs, is healthy, and handles nothing.',
    checkFirst: 'Is everything that is called for an event inside of a try, the error hook too?',
    mutants: [
      'throw-acks',
      'rejection-ignored',
      'only-errors-fail',
      'throw-kills-loop',
      'hook-kills-loop',
      'hook-not-told',
    ],
    async run(trial) {
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      const told = new Set<string>();
      const dispatcher = trial.dispatcher(watched.queue, {
        retry: atOnce,
        onError(_error, { during, event }) {
          if (during === 'handle' && event !== undefined) told.add(event.id);
          throw new Error('the hook fails as well');
        },
      });
      const failures: Readonly<Record<string, () => unknown>> = {
        'throws an Error'() {
          throw new Error('on purpose');
        },
        'rejects with an Error': () => Promise.reject(new Error('on purpose')),
        'throws a text'() {
          throw 'on purpose';
        },
        'rejects with a text': () => Promise.reject('on purpose'),
        'rejects with nothing': () => Promise.reject(undefined),
      };
      await dispatcher.start(1);
      for (const [how, fail] of Object.entries(failures)) {
        const type = `${trialType}.${how.replaceAll(' ', '-')}`;
        let runs = 0;
        dispatcher.on(type, () => {
          runs++;
          return runs === 1 ? fail() : undefined;
        });
        const [event] = await trial.push(queue, 1, { type });
        await trial.until(() => watched.asked(event).includes('ack'), `an event handled whose handler first ${how}`);
        trial.verify(runs >= 2, `an event was acknowledged after one run, whose handler ${how}`);
        const asked = watched.of(event)[0]?.asked ?? [];
        trial.verify(
          isDeepStrictEqual(asked, ['nack']),
          () => `${asked.join(', then ')} was asked for instead of one nack: the handler ${how}`,
        );
        trial.verify(told.has(event?.id ?? ''), `onError was not told: the handler ${how}`);
      }
    },
  },
  {
    id: '10.6',
    slug: 'pop-fails',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: `A pop that fails is told to onError and tried again, after ${leastPauseMs} ms at the least, until it works.`,
    why: 'A broker that is away for a minute must not end a consumer for good, nor be called a million times by each of them when it comes back.',
    checkFirst: 'Is there a pause after every failed pop, and does the loop go on after it?',
    mutants: ['tight-loop', 'gives-up', 'pop-error-swallowed'],
    async run(trial) {
      const queue = await trial.open();
      const { raw } = queue;
      const failing = 2;
      const calledAt: number[] = [];
      // Without the synchronous side, so that this one is used whatever the queue is.
      const changes: Partial<SynchronousQueue> = {
        async popMany(max, options) {
          calledAt.push(trial.clock.now());
          if (calledAt.length > failing) return raw.popMany(max, options);
          // A loop without a pause must not keep everything else from running.
          await trial.wait(1);
          throw new NqError('NQ_UNAVAILABLE', 'Cannot pop: on purpose');
        },
      };
      const synchronous = { tryPop: undefined, offer: undefined, onReady: undefined };
      let told = 0;
      const dispatcher = trial.dispatcher(instead(raw, { ...changes, ...synchronous }), {
        onError(error, { during }) {
          if (during === 'pop' && isNqError(error, 'NQ_UNAVAILABLE')) told++;
        },
      });
      const handled = new Set<string>();
      dispatcher.on(trialType, ({ id }) => void handled.add(id));
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      await trial.until(() => handled.has(event?.id ?? ''), 'the event handled after the pop works again');
      for (let call = 1; call <= failing; call++) {
        const pauseMs = (calledAt[call] as number) - (calledAt[call - 1] as number);
        trial.verify(pauseMs >= leastPauseMs, () => `${pauseMs.toFixed(1)} ms after a failed pop came the next one`);
      }
      trial.verify(told === failing, `${failing} pops have failed, and onError was told of ${told}`);
    },
  },
  {
    id: '10.9',
    slug: 'unknown-type-kept',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'An event whose type has no handler is told to onError and given back, never acknowledged, and handled once there is one; onUnknownType() gets it otherwise.',
    why: 'During a deployment the old release meets the events of the new one: what it drops in silence is gone before anybody who knows the type is started.',
    checkFirst: 'What is called for a delivery when no handler is found?',
    mutants: ['silent-ack', 'unknown-given-up', 'unknown-not-told'],
    async run(trial) {
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      let told = 0;
      const dispatcher = trial.dispatcher(watched.queue, {
        retry: { ...atOnce, delayMs: 20, maxDelayMs: 20 },
        onError: (error) => void (isNqError(error, 'NQ_NO_HANDLER') && told++),
      });
      const handled: string[] = [];
      dispatcher.on(trialType, ({ id }) => void handled.push(id));
      await dispatcher.start(1);
      const later = `${trialType}.later`;
      const [event] = await trial.push(queue, 1, { type: later });
      await trial.until(
        () => watched.of(event).length >= 2 || watched.asked(event).some((one) => one !== 'nack'),
        'the event of an unknown type handed out again',
      );
      const asked = watched.asked(event).filter((one) => one !== 'nack');
      trial.verify(asked.length === 0, () => `${asked[0]} was asked for although there is no handler`);
      trial.verify(told > 0, 'onError was not told that there is no handler');
      dispatcher.on(later, ({ id }) => void handled.push(id));
      await trial.until(
        () => watched.asked(event).includes('ack'),
        'the event acknowledged after a handler was registered',
      );
      trial.verify(handled.includes(event?.id ?? ''), 'the event was acknowledged and its handler has not run');
      dispatcher.onUnknownType(({ id }) => void handled.push(id));
      const [other] = await trial.push(queue, 1, { type: `${trialType}.never` });
      await trial.until(() => watched.asked(other).includes('ack'), 'the event acknowledged that onUnknownType() gets');
      trial.verify(handled.includes(other?.id ?? ''), 'the event was acknowledged and onUnknownType() has not got it');
    },
  },
  {
    id: '10.12',
    slug: 'handler-time-out',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'After handlerTimeoutMs, and not before, the signal of a handler aborts with NQ_HANDLER_TIMEOUT, its worker is free, and its event is retried; what the handler does later has no effect.',
    why: 'One call without a time-out of its own, in one handler, occupies a worker for ever: after as many of them as there are workers, nothing is handled any more.',
    checkFirst:
      'Is a handler that is late forgotten, so that its end neither settles the event nor frees a worker twice?',
    mutants: [
      'timeout-ignored',
      'timeout-early',
      'timeout-silent',
      'timeout-acks',
      'timeout-gives-up',
      'late-end-acks',
    ],
    async run(trial) {
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      const handlerTimeoutMs = 2 * trial.timing.quietMs;
      const dispatcher = trial.dispatcher(watched.queue, { retry: atOnce, handlerTimeoutMs });
      const hanging = gate();
      let runs = 0;
      let abortedAfterMs: number | undefined;
      let reason: unknown;
      dispatcher.on(trialType, (_event, { signal }) => {
        runs++;
        if (runs > 1) return undefined;
        const startedAt = trial.clock.now();
        signal.addEventListener('abort', () => {
          abortedAfterMs = trial.clock.now() - startedAt;
          ({ reason } = signal);
        });
        return hanging.passed;
      });
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      await trial.until(
        () => watched.of(event).length >= 2 || watched.asked(event).some((one) => one !== 'nack'),
        'the event whose handler hangs handed out again',
      );
      trial.verify(
        watched.of(event)[0]?.asked[0] === 'nack',
        () => `${watched.asked(event)[0]} was asked for instead of a nack, although the handler was late`,
      );
      await trial.until(() => watched.asked(event).includes('ack'), 'the event handled the second time');
      hanging.open();
      await trial.wait(trial.timing.quietMs);
      trial.verify(abortedAfterMs !== undefined, 'the signal of the handler has not aborted');
      trial.verify(
        isNqError(reason, 'NQ_HANDLER_TIMEOUT'),
        'the signal of the handler aborted with another reason than NQ_HANDLER_TIMEOUT',
      );
      trial.verify(
        (abortedAfterMs ?? 0) >= handlerTimeoutMs - 1,
        () => `the signal aborted after ${abortedAfterMs} ms; handlerTimeoutMs is ${handlerTimeoutMs}`,
      );
      trial.verify(
        isDeepStrictEqual(watched.asked(event), ['nack', 'ack']),
        () =>
          `${watched.asked(event).join(', then ')} was asked for instead of a nack and then, of the next delivery, an ack`,
      );
      const { handled, timedOut } = await dispatcher.stats();
      trial.verify(handled === 1 && timedOut === 1, `stats() counts ${handled} handled and ${timedOut} timed out`);
    },
  },
  {
    id: '10.16',
    slug: 'retry-delay',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    requires: needs.individualAck,
    text: 'An event that failed comes back after retry.delayMs, and not before, also where the queue cannot delay; meanwhile its worker handles other events.',
    why: 'Without the delay an outage of a second uses up every attempt; with a delay that a worker sits out, a few bad events stop all others.',
    checkFirst:
      'Is the delivery given back with delayMs, or held outside of the workers where the queue does not declare nackDelay?',
    mutants: ['retry-at-once', 'retry-holds-worker', 'held-for-ever'],
    async run(trial) {
      const { quietMs, patienceMs } = trial.timing;
      const delayMs = 2 * quietMs;
      const queue = await trial.open();
      const dispatcher = trial.dispatcher(queue, { retry: { ...atOnce, delayMs, maxDelayMs: delayMs } });
      let failedAt: number | undefined;
      let backAfterMs: number | undefined;
      dispatcher.on(trialType, () => {
        if (failedAt !== undefined) {
          backAfterMs ??= trial.clock.now() - failedAt;
          return;
        }
        failedAt = trial.clock.now();
        throw new Error('on purpose');
      });
      await trial.push(queue, 1);
      await dispatcher.start(1);
      await trial.until(() => backAfterMs !== undefined, 'the failed event back', delayMs + patienceMs);
      trial.verify(
        (backAfterMs ?? 0) >= delayMs - 1,
        () => `the event came back after ${backAfterMs?.toFixed(1)} ms; its delay is ${delayMs} ms`,
      );
      const [waits, goesOn] = [gate(), gate()];
      dispatcher.on(`${trialType}.waits`, () => {
        waits.open();
        return retryAfter(2 * patienceMs);
      });
      dispatcher.on(`${trialType}.goes-on`, () => goesOn.open());
      await trial.push(queue, 1, { type: `${trialType}.waits` });
      await trial.within(waits.passed, 'an event, to be handled again later, handled the first time');
      await trial.push(queue, 1, { type: `${trialType}.goes-on` });
      await trial.within(goesOn.passed, 'another event handled while the first one waits');
    },
  },
  {
    id: '10.17',
    slug: 'lease-renewed',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    requires: needs.leaseExtend,
    text: 'While a handler runs, the lease of its event is renewed: nobody else gets the event, however long it takes.',
    why: 'Work that takes longer than the lease is done twice, at the same time, on the worst day: when everything is slow (bee-queue and bull call such jobs stalled).',
    checkFirst: 'Is extend() called for every delivery whose handler runs, well before a lease is over?',
    mutants: ['lease-not-renewed', 'lease-renewed-once'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: shortLeaseMs(trial, 1000) });
      const leaseMs = trial.leaseOf(queue);
      const watched = watchQueue(trial, queue);
      const dispatcher = trial.dispatcher(watched.queue);
      const long = gate();
      let lost = false;
      dispatcher.on(trialType, (_event, { signal }) => {
        signal.addEventListener('abort', () => (lost = true));
        return long.passed;
      });
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      await trial.until(() => watched.of(event).length > 0, 'the event taken');
      // Renewed once, before the first lease is over, it ends before the second one would.
      await trial.nothing(queue, 'its handler still runs', 2 * leaseMs + trial.timing.quietMs);
      trial.verify(!lost, 'the signal of the handler aborted although the dispatcher could have renewed the lease');
      long.open();
      await trial.until(
        async () => (await dispatcher.stats()).handled === 1,
        'the event acknowledged by its first delivery',
      );
      await dispatcher.stop();
      await trial.nothing(queue, 'it was acknowledged');
    },
  },
];
