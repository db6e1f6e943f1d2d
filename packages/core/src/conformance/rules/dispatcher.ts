import { isDeepStrictEqual } from 'node:util';
import type { StopReport } from '../../dispatcher-types.ts';
import { isNqError } from '../../errors.ts';
import type { Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { trialType } from '../trial-parts.ts';
import { gate, watchQueue } from '../watched-queue.ts';

/** §10, first part: how a dispatcher takes events, runs handlers and stops, on every queue. */
export const dispatcherRules: readonly Rule[] = [
  {
    id: '10.1',
    slug: 'workers-reached',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'smoke',
    text: 'As many handlers run at once as there are workers, and never more, also after their number was changed.',
    why: 'One more than was asked for breaks the rate limit or the connection pool that the number was made for; one less is throughput that nobody finds again.',
    checkFirst: 'Is a worker counted as busy from the moment its event is taken until its handler has ended?',
    mutants: ['over-concurrency', 'serial', 'resize-ignored', 'shrink-ignored'],
    async run(trial) {
      const queue = await trial.open();
      const dispatcher = trial.dispatcher(queue);
      let allowed = 2;
      let running = 0;
      let tooMany = '';
      const ended = new Set<string>();
      let ends: (() => void)[] = [];
      dispatcher.on(trialType, ({ id }) => {
        running++;
        if (running > allowed) tooMany ||= `${running} handlers run with ${allowed} workers`;
        return new Promise<void>((resolve) => {
          ends.push(() => {
            running--;
            ended.add(id);
            resolve();
          });
        });
      });
      await trial.push(queue, 10);
      for (allowed of [2, 4]) {
        await dispatcher.start(allowed);
        await trial.until(() => running >= allowed, `${allowed} handlers at once with ${allowed} workers`);
        await trial.wait(trial.timing.quietMs);
        trial.verify(tooMany === '', tooMany);
      }
      await dispatcher.start(1);
      allowed = 1;
      // Two of the four may end, and nobody may take their places.
      for (const end of ends.splice(0, 2)) end();
      await trial.wait(trial.timing.quietMs);
      trial.verify(tooMany === '', () => `after the number was lowered: ${tooMany}`);
      await trial.until(() => {
        const due = ends;
        ends = [];
        for (const end of due) end();
        return ended.size === 10;
      }, 'every event handled by one worker');
      trial.verify(tooMany === '', () => `after the number was lowered: ${tooMany}`);
    },
  },
  {
    id: '10.2',
    slug: 'ack-after-handlers',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'An event is acknowledged exactly once, after the last of its handlers has ended.',
    why: 'What is acknowledged before is lost with the process that handles it; php-enqueue #757 is a queue that loses in this way what it has handed out.',
    checkFirst: 'Is ack() called where the handlers have ended, and nowhere else?',
    mutants: ['ack-before-handle', 'second-handler-floats', 'double-ack', 'ack-forgotten'],
    async run(trial) {
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      const dispatcher = trial.dispatcher(watched.queue);
      const [first, second] = [gate(), gate()];
      const called: string[] = [];
      dispatcher.on(trialType, () => {
        called.push('first');
        return first.passed;
      });
      dispatcher.on(trialType, () => {
        called.push('second');
        return second.passed;
      });
      const synchronous = `${trialType}.synchronous`;
      dispatcher.on(synchronous, () => {});
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      for (const [number, { open }] of [first, second].entries()) {
        await trial.until(() => called.length === number + 1, `handler ${number + 1} of the event called`);
        await trial.wait(trial.timing.quietMs);
        trial.verify(
          watched.asked(event).length === 0,
          () => `${watched.asked(event)[0]} was asked for while handler ${number + 1} of 2 still ran`,
        );
        open();
      }
      const [other] = await trial.push(queue, 1, { type: synchronous });
      for (const one of [event, other]) {
        await trial.until(() => watched.asked(one).length > 0, 'an ack after the handlers have ended');
      }
      await trial.wait(trial.timing.quietMs);
      for (const one of [event, other]) {
        const asked = watched.asked(one);
        trial.verify(
          isDeepStrictEqual(asked, ['ack']),
          () => `${asked.join(', then ')} was asked for instead of one ack`,
        );
      }
      await dispatcher.stop();
      await trial.nothing(queue, 'its handlers have ended');
    },
  },
  {
    id: '10.4',
    slug: 'stop-lets-end',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'stop() takes nothing any more, waits until running handlers have ended and acknowledges their events; further calls answer the same, a handler may call it, and start() begins anew.',
    why: 'Every release of a program stops its dispatchers: what stop() cuts off is handled twice, what it takes and drops waits for its lease, and what never ends is killed.',
    checkFirst:
      'Does stop() end the pop that waits, then wait for the handlers, but never for the one that has called it?',
    mutants: [
      'stop-abandons',
      'stop-keeps-taking',
      'stop-leaves-pop',
      'second-stop-rejects',
      'stop-deadlock',
      'no-restart',
    ],
    async run(trial) {
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      const dispatcher = trial.dispatcher(watched.queue);
      const workers = severalOn(trial, 2);
      const barrier = gate();
      const ended = new Set<string>();
      let running = 0;
      dispatcher.on(trialType, async ({ id }) => {
        running++;
        await barrier.passed;
        ended.add(id);
      });
      const events = await trial.push(queue, workers + 2);
      await dispatcher.start(workers);
      await trial.until(() => running === workers, 'every worker busy');
      const stopping = dispatcher.stop({ deadlineMs: 2 * trial.timing.patienceMs });
      const again = dispatcher.stop().catch((error: unknown) => error);
      await trial.pending(stopping, 'stop() with handlers that run');
      barrier.open();
      const report = await trial.within(stopping, 'stop() after the handlers have ended');
      trial.verify(
        watched.taken.length === workers,
        () => `stop() was called with ${workers} events taken, and resolved with ${watched.taken.length}`,
      );
      trial.verify(
        report.completed === workers && report.returned === 0 && report.abandoned === 0,
        () => `${workers} handlers have ended after stop() was called, and it reports ${show(report)}`,
      );
      const second = await trial.within(again, 'the second stop()');
      trial.verify(isDeepStrictEqual(second, report), 'the second stop() does not answer the report of the first');
      events.push(...(await trial.push(queue, 1)));
      await trial.wait(trial.timing.quietMs);
      trial.verify(
        watched.taken.length === workers,
        () => `${watched.taken.length} events were taken and ${workers} workers were busy when stop() was called`,
      );
      const unsettled = watched.taken.filter(({ asked }) => !isDeepStrictEqual(asked, ['ack']));
      trial.verify(unsettled.length === 0, 'a handler that has ended while stop() waited was not acknowledged');
      await dispatcher.start(workers);
      await trial.until(() => ended.size === events.length, 'every event handled after start() was called again');
      // All workers are free now, and wait for events.
      await trial.within(dispatcher.stop(), 'stop() with nothing to do');
      await trial.push(queue, 1);
      await (await trial.take(queue, 'an event that was pushed after stop()')).ack();
      await dispatcher.start(workers);
      let inside: Promise<unknown> | undefined;
      const stops = `${trialType}.stops`;
      dispatcher.on(stops, () => {
        inside = dispatcher.stop({ deadlineMs: 2 * trial.timing.patienceMs });
        return inside;
      });
      const [last] = await trial.push(queue, 1, { type: stops });
      await trial.until(() => inside !== undefined, 'the handler that calls stop() called');
      await trial.within(inside as Promise<unknown>, 'stop(), called and awaited by a handler,');
      await trial.until(
        () => watched.asked(last).includes('ack'),
        'the event acknowledged whose handler has called stop()',
      );
    },
  },
  {
    id: '10.5',
    slug: 'stop-deadline',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'At its deadline, and not before, stop() aborts the signals of handlers that still run with NQ_STOPPED and gives their events back; what these handlers do later has no effect.',
    why: 'A handler that hangs must neither keep a program from ending nor have its event taken for done.',
    checkFirst: 'Is a delivery that is cut off given back by nack(), and are its handlers forgotten?',
    mutants: [
      'stop-abandons',
      'stop-acks-leftovers',
      'stop-forgets-leftovers',
      'stop-silent',
      'stop-waits-forever',
      'late-end-acks',
    ],
    async run(trial) {
      const { quietMs, patienceMs } = trial.timing;
      const queue = await trial.open();
      const watched = watchQueue(trial, queue);
      const dispatcher = trial.dispatcher(watched.queue);
      const hanging = gate();
      let running = false;
      let aborted: { readonly atMs: number; readonly reason: unknown } | undefined;
      dispatcher.on(trialType, (_event, { signal }) => {
        running = true;
        signal.addEventListener('abort', () => (aborted = { atMs: trial.clock.now(), reason: signal.reason }));
        return hanging.passed;
      });
      const [event] = await trial.push(queue, 1);
      await dispatcher.start(1);
      await trial.until(() => running, 'the handler called');
      const calledAt = trial.clock.now();
      const stopping = dispatcher.stop({ deadlineMs: quietMs });
      const { completed, returned, abandoned } = await trial.within(
        stopping,
        'stop() with a handler that hangs',
        quietMs + patienceMs,
      );
      trial.verify(aborted !== undefined, 'the signal of the handler has not aborted');
      const { atMs, reason } = aborted as NonNullable<typeof aborted>;
      trial.verify(
        isNqError(reason, 'NQ_STOPPED'),
        'the signal of the handler aborted with another reason than NQ_STOPPED',
      );
      trial.verify(
        atMs - calledAt >= quietMs - 1,
        () => `the signal aborted ${Math.round(atMs - calledAt)} ms after stop({ deadlineMs: ${quietMs} })`,
      );
      trial.verify(
        completed === 0 && returned + abandoned === 1,
        () => `one handler was cut off, and stop() reports ${show({ completed, returned, abandoned })}`,
      );
      const verifyGivenBack = (): void => {
        const asked = watched.asked(event).join(', then ');
        trial.verify(asked === 'nack', `${asked === '' ? 'nothing' : asked} was asked for instead of one nack`);
      };
      verifyGivenBack();
      const delivery = await trial.take(queue, 'the event whose handler was cut off');
      trial.verify(delivery.event.id === event?.id, 'another event came than the one that was cut off');
      hanging.open();
      await trial.wait(quietMs);
      verifyGivenBack();
      await delivery.ack();
      await trial.nothing(queue, 'it was acknowledged by whoever got it next');
    },
  },
  {
    id: '10.7',
    slug: 'takes-for-free-workers',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'A dispatcher takes no more events than it has free workers: what it cannot handle now is there for others.',
    why: 'Events that wait in a busy process wait for nothing while others are idle, and are handed out twice when their leases end before their turn.',
    checkFirst: 'Is popMany() called with the number of free workers, and not at all when there is none?',
    mutants: ['hoard', 'prefetch-next'],
    async run(trial) {
      const queue = await trial.open();
      const busy = trial.dispatcher(queue);
      const hanging = gate();
      const taken: string[] = [];
      busy.on(trialType, ({ id }) => {
        taken.push(id);
        return hanging.passed;
      });
      // Some that are there when the worker takes its first one, and one that comes when it is busy.
      const events = await trial.push(queue, 3);
      await busy.start(1);
      await trial.until(() => taken.length > 0, 'the handler called');
      events.push(...(await trial.push(queue, 1)));
      const left = await trial.takeMany(queue, events.length - 1);
      trial.verify(taken.length === 1, () => `${taken.length} handlers run with one worker`);
      trial.verifySame(
        left,
        events.filter(({ id }) => id !== taken[0]),
      );
      hanging.open();
      // Where an ack covers what came before, the first event has to be acknowledged first.
      await trial.until(async () => (await busy.stats()).handled === 1, 'the event of the dispatcher acknowledged');
      for (const delivery of left) await delivery.ack();
    },
  },
  {
    id: '10.8',
    slug: 'key-in-order',
    level: 'MUST',
    claim: 'dispatcher',
    tier: 'standard',
    text: 'With one worker, no two handlers run at once, and the events of a key are handled in the order of their pushes where the queue has one. (With several workers, a dispatcher promises neither.)',
    why: 'A deposit handled after the withdrawal that needed it is a wrong balance, and two events of one account handled at once are a lost update.',
    checkFirst: 'Are the deliveries of one popMany() handed to the worker in the order in which they came?',
    mutants: ['key-overlap', 'newest-first'],
    run: handlesOneByOne,
  },
];

/**
 * How many workers a rule may use of `wanted`. Where an ack covers earlier events, only a dispatcher with one worker
 * acknowledges nothing but what its handlers have done.
 */
export function severalOn({ capabilities: { ack } }: Trial, wanted: number): number {
  return ack === 'individual' ? wanted : 1;
}

async function handlesOneByOne(trial: Trial): Promise<void> {
  const queue = await trial.open();
  const dispatcher = trial.dispatcher(queue);
  let running = 0;
  let most = 0;
  const handled = new Set<string>();
  dispatcher.on(trialType, async ({ id }) => {
    running++;
    most = Math.max(most, running);
    await trial.wait(trial.random() * 3);
    running--;
    handled.add(id);
  });
  const keys = ['a', 'b'];
  // Three of a key follow each other, so that two neighbours that change places are of one key at least once.
  const events = [];
  for (let number = 0; number < 12; number++) {
    events.push(...(await trial.push(queue, 1, { key: keys[Math.floor(number / 3) % keys.length] as string })));
  }
  await dispatcher.start(1);
  await trial.until(() => handled.size === events.length, 'every event handled');
  trial.verify(most === 1, () => `${most} handlers have run at once with one worker`);
  if (trial.capabilities.order === 'none') return;
  const nameOf = (id: string): string => trial.journal.nameOf(id);
  for (const key of keys) {
    const pushed = events.filter((event) => event.key === key).map(({ id }) => id);
    const came = [...handled].filter((id) => pushed.includes(id));
    trial.verify(
      isDeepStrictEqual(came, pushed),
      () =>
        `the events of a key were pushed as ${pushed.map(nameOf).join(' ')} and handled as ${came.map(nameOf).join(' ')}`,
    );
  }
}

function show({ completed, returned, abandoned }: Omit<StopReport, 'deadLetters'>): string {
  return `${completed} completed, ${returned} returned, ${abandoned} abandoned`;
}
