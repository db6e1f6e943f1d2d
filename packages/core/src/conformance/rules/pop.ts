import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { longLeaseMs } from './full-queue.ts';
import { waitForAll } from './returned.ts';

/** §2: taking events out. */
export const popRules: readonly Rule[] = [
  {
    id: '2.1',
    slug: 'pop-is-woken',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'A pop that waits is woken by a push: each push wakes one, and one that comes between the look and the wait is not missed. Without a limit, or with one of Infinity, it waits for ever.',
    why: 'A consumer that sleeps beside its event looks like a dead one, and only under load: the moment between "empty" and "wait" is short.',
    checkFirst: 'Does the backend look and wait in one step, and does every stored event wake a pop of its own?',
    mutants: ['poll-at-deadline', 'wake-one', 'check-then-wait', 'no-limit-is-none', 'infinity-is-a-moment'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const producer = await secondOf(trial, queue);
      const woken = async (pops: readonly Promise<Delivery | undefined>[], what: string): Promise<void> => {
        for (const pop of pops) {
          const delivery = await trial.within(pop, what);
          trial.verify(delivery !== undefined, `${what} resolved nothing`);
        }
        for (const pop of pops) await (await pop)?.ack();
      };
      const pops = [queue.pop(), queue.pop({ timeoutMs: undefined }), queue.pop({ timeoutMs: Infinity })];
      await trial.pending(Promise.race(pops), 'pop of an empty queue');
      await Promise.all(trial.events(pops.length).map((event) => producer.push(event)));
      await woken(pops, 'a pop that waited for one of three pushes');

      const two = [queue.pop(), queue.pop()];
      await trial.pending(Promise.race(two), 'pop of an empty queue');
      await producer.push(trial.event());
      await trial.within(Promise.race(two), 'a pop that waited for a push');
      const answers = two.map((pop) => pop.then(() => 1));
      await trial.wait(trial.timing.quietMs);
      const settled = await Promise.all(answers.map((answer) => Promise.race([answer, trial.wait(1).then(() => 0)])));
      trial.verify(settled[0] !== settled[1], 'one push has woken two pops');
      await producer.push(trial.event());
      await woken(two, 'a pop that waited for the second push');

      // Pushes in the moments after the pop was called.
      for (const moment of [0, 0, 0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 25, 40]) {
        // Much longer than is waited for: who looks again at the end of the time is too late.
        const pop = queue.pop({ timeoutMs: trial.timing.patienceMs * 4 });
        if (moment > 0) await trial.wait(moment);
        await producer.push(trial.event());
        await woken([pop], `a pop, ${moment} ms after whose call an event was pushed,`);
      }
    },
  },
  {
    id: '2.2',
    slug: 'ended-pop-takes-nothing',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'A pop that ran out of time or was aborted takes nothing afterwards, and what was on its way to it comes to the next one.',
    why: 'The request that still waits at the backend takes the next event for nobody: it is away until its lease ends, or for good (redis #949, ghost commands of BRPOP).',
    checkFirst: 'Is the request that waits at the backend ended too, and what it brings too late given back?',
    mutants: ['ghost-waiter', 'abort-loses-event', 'late-answer-dropped'],
    async run(trial) {
      const leaseMs = longLeaseMs(trial);
      const queue = await trial.open({ leaseMs });
      const producer = await secondOf(trial, queue);
      const aborted = await trial.neighbour('aborted', { leaseMs });
      const other = trial.capabilities.multiInstance ? await aborted.open() : aborted.queue;
      await waitForAll(endsPops(trial, queue, producer, 'time'), endsPops(trial, aborted.queue, other, 'abort'));
      await aborted.leave();
    },
  },
  {
    id: '2.3',
    slug: 'pop-finds-what-is-there',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'A pop does not come back empty before its time, as long as there are events for all who pop.',
    why: 'Consumers that stop when the queue is empty, as scripts and tests do, leave the rest behind.',
    checkFirst: 'Does a pop that lost a race, or was woken for nothing, go on to wait for the rest of its time?',
    mutants: ['false-empty', 'contended-empty'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const events = await trial.push(queue, Math.min(48, queue.capacity));
      // Where events are divided among connections, one may have none while the other has some.
      const second = trial.capabilities.order === 'fifo' ? await secondOf(trial, queue) : queue;
      const consumers = [queue, second];
      const deliveries: Delivery[] = [];
      while (deliveries.length < events.length) {
        const together = Math.min(4, events.length - deliveries.length);
        const pops = Array.from({ length: together }, (_, index) =>
          (consumers[index % 2] as ObservedQueue<unknown>).pop({ timeoutMs: trial.timing.patienceMs }),
        );
        for (const delivery of await Promise.all(pops)) {
          const left = events.length - deliveries.length;
          trial.verify(
            delivery !== undefined,
            `one of ${together} pops resolved nothing while ${left} events were there`,
          );
          if (delivery !== undefined) deliveries.push(delivery);
          await delivery?.ack();
        }
      }
      trial.verifySame(deliveries, events, false);
    },
  },
  {
    id: '2.4',
    slug: 'handed-out-once',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'Among consumers that compete, each event is handed out to one, as long as nothing goes wrong.',
    why: 'Two workers who both charge the card: nothing but a test with several consumers shows it.',
    checkFirst: 'Is an event taken in one atomic step, and are all consumers members of one group?',
    mutants: ['double-deliver', 'broadcast', 'duplicate-always'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const consumers = [queue, await secondOf(trial, queue)];
      await meet(trial, consumers);
      const events = trial.events(60);
      const held: Delivery[][] = consumers.map(() => []);
      const deadline = trial.clock.now() + trial.timing.patienceMs;
      const consume = async (consumer: ObservedQueue<unknown>, mine: Delivery[]): Promise<void> => {
        for (;;) {
          // Two at a time, so that pops of one connection compete as well.
          const pops = [0, 1].map(() => consumer.pop({ timeoutMs: trial.timing.quietMs }));
          const came = (await Promise.all(pops)).filter((delivery) => delivery !== undefined);
          mine.push(...came);
          const complete = held.flat().length >= events.length || trial.clock.now() >= deadline;
          // Never only as many as were pushed: one too many has to be seen.
          if (came.length === 0 && complete) return;
        }
      };
      const consuming = consumers.map((consumer, index) => consume(consumer, held[index] as Delivery[]));
      for (const event of events) await queue.push(event);
      await Promise.all(consuming);
      // Whose lease was lost, as when events are divided anew among connections, rightly comes to another one.
      const ours = held.flat().filter(({ signal }) => !signal.aborted);
      trial.verifySame(ours, events, false);
      // Per connection in the order of the hand-outs, for queues that acknowledge up to a position.
      for (const delivery of ours) await delivery.ack();
    },
  },
  {
    id: '2.5',
    slug: 'unsettled-is-invisible',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'An event that is handed out and not settled comes to no other pop.',
    why: 'A queue that only looks, and removes at the ack, gives every event to every idle worker.',
    checkFirst: 'Does taking an event mark it as taken in the backend, for all connections?',
    mutants: ['peek-not-lock', 'broadcast'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const other = await secondOf(trial, queue);
      await meet(trial, [queue, other]);
      const [first] = await trial.push(queue, 1);
      const held = await whoeverGets(trial, [queue, other]);
      trial.verify(held.event.id === first?.id, 'another event came than the one that was pushed');
      const timeoutMs = trial.timing.quietMs;
      const [here, there, page] = await Promise.all([
        queue.pop({ timeoutMs }),
        other.pop({ timeoutMs }),
        other.popMany(5, { timeoutMs }),
      ]);
      if (held.signal.aborted) throw new NotVerified('the lease was lost meanwhile');
      for (const [what, again] of [
        ['pop', here],
        ['pop of another connection', there],
        ['popMany of another connection', page[0]],
      ]) {
        trial.verify(again === undefined, `an event that is handed out and not settled came again: ${what}`);
      }
      const sentinel = trial.event();
      await queue.push(sentinel);
      const next = await whoeverGets(trial, [queue, other]);
      trial.verify(next.event.id === sentinel.id, 'an event came again that was not settled');
      await held.ack();
      await next.ack();
      await trial.nothing(other, 'every event is settled');
    },
  },
  {
    id: '2.6',
    slug: 'push-first-or-pop-first',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'In a new queue, an event that is pushed before the first pop comes, and so does one that is pushed after it.',
    why: 'A consumer that starts at the end of the log misses what came before it; one that subscribes to what is not there yet never wakes up.',
    checkFirst:
      'From where does a new consumer start, and what does it do while the place in the backend does not exist?',
    mutants: ['latest-offset', 'pop-first-starves'],
    async run(trial) {
      const pushFirst = await trial.open();
      const events = await trial.push(pushFirst, 3);
      trial.verifySame(await trial.collect(pushFirst, events.length), events);
      const { queue, leave } = await trial.neighbour('pop-first');
      const pop = queue.pop({ timeoutMs: trial.timing.patienceMs * 2 });
      await trial.pending(pop, 'the first pop of an empty queue');
      const event = trial.event();
      await queue.push(event);
      const delivery = await trial.within(pop, 'the first pop, which came before the first push');
      trial.verify(delivery?.event.id === event.id, 'the first pop did not bring the event that was pushed after it');
      await delivery?.ack();
      await leave();
    },
  },
  {
    id: '2.7',
    slug: 'pop-many',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'popMany hands out at most `max` events, in their order, waits for the first one only, and leaves the rest in the queue.',
    why: 'A consumer that gets more than it asked for runs out of memory or of lease; one that waits until its batch is full stands still in quiet hours.',
    checkFirst: 'Is the page of the client library limited to max, or its rest kept for the next pop?',
    mutants: [
      'pop-many-exceeds-max',
      'pop-many-drops-rest',
      'pop-many-waits-for-all',
      'pop-many-lingers',
      'pop-many-reversed',
    ],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const { patienceMs } = trial.timing;
      const events = trial.events(Math.min(17, queue.capacity), { key: 'batch' });
      await queue.pushMany(events);
      const deliveries: Delivery[] = [];
      for (const max of [1, 3, 5, 2, Infinity]) {
        const wanted = Math.min(max, events.length - deliveries.length);
        let taken = 0;
        // Fewer than there are is allowed, none is not.
        while (taken < wanted) {
          const page = await queue.popMany(max - taken, { timeoutMs: patienceMs });
          trial.verify(page.length > 0, `popMany resolved nothing while ${wanted - taken} events were there`);
          trial.verify(page.length <= max - taken, () => `popMany(${max - taken}) brought ${page.length} events`);
          taken += page.length;
          deliveries.push(...page);
          for (const delivery of page) await delivery.ack();
        }
      }
      trial.verifySame(deliveries, events, trial.capabilities.order !== 'none');
      await trial.nothing(queue, 'every event was handed out before');

      // A short linger for a fuller page is legal, for nobody could tell it from a slow link; one to the time limit is not.
      const [alone] = await trial.push(queue, 1);
      const short = await trial.within(
        queue.popMany(10, { timeoutMs: patienceMs * 4 }),
        'popMany of a queue with one event, which waits for the first event only,',
      );
      trial.verify(
        short.length === 1 && short[0]?.event.id === alone?.id,
        'popMany did not bring the only event that there was',
      );
      await short[0]?.ack();

      const waiting = queue.popMany(10, { timeoutMs: patienceMs * 4 });
      await trial.pending(waiting, 'popMany of an empty queue');
      const [event] = await trial.push(queue, 1);
      const page = await trial.within(waiting, 'popMany, which waits for the first event only,');
      trial.verify(
        page.length === 1 && page[0]?.event.id === event?.id,
        'popMany did not bring the event that was pushed',
      );
      await page[0]?.ack();
    },
  },
  {
    id: '2.8',
    slug: 'fair-consumers',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.fairness,
    text: 'Pops that wait are served in the order in which they were called.',
    why: 'A consumer that is always served last never gets anything while traffic is thin.',
    checkFirst: 'Are waiting pops kept in a line, and not on a stack or in whatever order their requests return?',
    mutants: ['lifo-waiters'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const served: number[] = [];
      let called = 0;
      const pop = (): Promise<Delivery | undefined> => {
        const number = called++;
        const delivery = queue.pop();
        void delivery.then(
          () => served.push(number),
          () => {},
        );
        return delivery;
      };
      const pops = [pop(), pop(), pop()];
      await trial.pending(Promise.race(pops), 'pop of an empty queue');
      for (let round = 1; round <= 5; round++) {
        const push = queue.push(trial.event());
        // A newcomer, in the very moment in which there is an event.
        pops.push(pop());
        await push;
        await trial.until(() => served.length >= round, `that ${round} pops are served of ${round} events`);
      }
      const inOrder = served.every((number, place) => number === place);
      trial.verify(inOrder, () => `pops were served in the order ${served.join(' ')}`);
      for (const number of served) await (await pops[number])?.ack();
    },
  },
];

/** Another connection to the queue; the same one again where there can be no other. */
export async function secondOf(trial: Trial, queue: ObservedQueue<unknown>): Promise<ObservedQueue<unknown>> {
  return trial.capabilities.multiInstance ? trial.open() : queue;
}

/** Lets connections find each other, for backends that divide events among them anew when one comes. */
async function meet({ timing }: Trial, consumers: readonly ObservedQueue<unknown>[]): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.pop({ timeoutMs: timing.quietMs })));
}

/** Takes an event that must come, on whichever connection it comes to. */
export async function whoeverGets(trial: Trial, consumers: readonly ObservedQueue<unknown>[]): Promise<Delivery> {
  const deliveries: Delivery[] = [];
  await trial.until(async () => {
    for (const consumer of consumers) {
      const delivery = deliveries.length === 0 ? await consumer.pop({ timeoutMs: trial.timing.quietMs }) : undefined;
      if (delivery !== undefined) deliveries.push(delivery);
    }
    return deliveries.length > 0;
  }, 'that an event comes to one of the connections');
  return deliveries[0] as Delivery;
}

/** Ends pops before and while an event is pushed, which the next pop must get then. */
async function endsPops(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  producer: ObservedQueue<unknown>,
  ending: 'time' | 'abort',
): Promise<void> {
  const what = ending === 'time' ? 'ran out of time' : 'was aborted';
  await endedPop(trial, queue, ending, 10, async () => {});
  const event = trial.event();
  await producer.push(event);
  const delivery = await trial.take(queue, `the event that was pushed after a pop ${what}`);
  trial.verify(delivery.event.id === event.id, 'another event came than the one that was pushed');
  await delivery.ack();
  // And while it ends.
  for (let round = 0; round < 16; round++) {
    const late = trial.event();
    const endMs = 30;
    // In every other round close to the end, else so much before it that what comes is still on its way then.
    const pushMs = round % 2 === 0 ? endMs - 3 + trial.random() * 6 : endMs - round * 2;
    const push = async (): Promise<void> => {
      await trial.wait(pushMs);
      await producer.push(late);
    };
    const came = await endedPop(trial, queue, ending, endMs, push);
    const taken = came ?? (await trial.take(queue, `the event that was pushed while a pop ${what}`));
    trial.verify(taken.event.id === late.id, 'another event came than the one that was pushed');
    await taken.ack();
  }
}

/** A pop that ends after `ms` by its time limit or by an abort, while `meanwhile` happens. Resolves what it brought. */
async function endedPop(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  ending: 'time' | 'abort',
  ms: number,
  meanwhile: () => Promise<void>,
): Promise<Delivery | undefined> {
  if (ending === 'time') return (await Promise.all([queue.pop({ timeoutMs: ms }), meanwhile()]))[0];
  const controller = new AbortController();
  const reason = new Error('the reason of the caller');
  const popped = queue.pop({ signal: controller.signal });
  const aborting = trial.wait(ms).then(() => controller.abort(reason));
  await Promise.all([aborting, meanwhile()]);
  try {
    return await trial.within(popped, 'a pop that was aborted');
  } catch (error) {
    trial.verify(error === reason, 'a pop that was aborted rejected otherwise than with the reason of its signal');
    return undefined;
  }
}
