import { isDeepStrictEqual } from 'node:util';
import { defineCapabilities } from '../../capabilities.ts';
import { needs, type Rule } from '../rule.ts';

/** §0: what a queue says of itself, and whether rules can be tried at all. */
export const manifestRules: readonly Rule[] = [
  {
    id: '0.1',
    slug: 'capabilities-total',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'The capabilities of a queue are complete, valid, frozen, and the same for every queue object at every time.',
    why: 'Users, dispatchers and these rules read them to know what to rely on; a flag that another one makes unreachable hides its tests for years (watermill-redisstream declares an order that is never tested).',
    checkFirst: 'Is the object made once, by defineCapabilities(), and answered unchanged by every instance?',
    mutants: ['capabilities-incomplete', 'capabilities-vary', 'capabilities-not-frozen'],
    async run(trial) {
      const queue = await trial.open();
      const { capabilities } = queue;
      const copy = structuredClone(capabilities);
      let valid = true;
      try {
        defineCapabilities(capabilities);
      } catch {
        valid = false;
      }
      trial.verify(valid, 'a member of the capabilities is missing, unknown, or not one of its values');
      const frozen =
        Object.isFrozen(capabilities) && (capabilities.lease === false || Object.isFrozen(capabilities.lease));
      trial.verify(frozen, 'the capabilities can be changed');
      await trial.push(queue, 1);
      await (await trial.take(queue)).ack();
      trial.verify(queue.capabilities === capabilities, 'the capabilities are another object after use');
      trial.verify(isDeepStrictEqual(queue.capabilities, copy), 'the capabilities have changed by use');
      if (!capabilities.multiInstance) return;
      const other = await trial.open();
      trial.verify(isDeepStrictEqual(other.capabilities, copy), 'another connection declares other capabilities');
    },
  },
  {
    id: '0.2',
    slug: 'namespace-isolated',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'A new namespace is empty, shares nothing with another one, and leaves nothing behind.',
    why: 'Leftovers of one test are delivered in the next (go-cloud #1097), and tests that share a queue pass alone and fail together (reactive-streams-jvm #474).',
    checkFirst:
      'Does namespace(id) put the whole id into every name that the backend sees, and does dispose() remove them all?',
    mutants: ['shared-namespace', 'static-name', 'leaking-dispose'],
    async run(trial) {
      const queue = await trial.open();
      await trial.nothing(queue, 'the namespace was not empty', 0);
      const [event] = await trial.push(queue, 1);
      const other = await trial.neighbour('other');
      await trial.nothing(other.queue, 'two namespaces are one queue');
      const delivery = await trial.take(queue, 'the event of the first namespace');
      trial.verify(delivery.event.id === event?.id, 'another event came than the one that was pushed');
      await delivery.nack();
      await other.leave();

      const before = await trial.neighbour('again');
      await before.queue.push(trial.event());
      await before.leave();
      const after = await trial.neighbour('again');
      await trial.nothing(after.queue, 'dispose() has left it behind');
      await after.leave();
    },
  },
  {
    id: '0.3',
    slug: 'connections-share',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    requires: needs.multiInstance,
    text: 'Two connections to one namespace are one queue.',
    why: 'A queue that keeps events in the process looks right until the second process starts.',
    checkFirst: 'Is anything kept in the queue object that belongs into the backend?',
    mutants: ['local-only', 'size-cached'],
    async run(trial) {
      const [a, b] = [await trial.open(), await trial.open()];
      const [event] = await trial.push(a, 1);
      const delivery = await trial.take(b, 'the event of the other connection');
      trial.verify(delivery.event.id === event?.id, 'another event came than the one that was pushed');
      await delivery.ack();
      await trial.nothing(a, 'it was acknowledged by the other connection');
      if (a.capabilities.size === 'none') return;
      await trial.until(async () => {
        const { ready, inFlight } = await a.size();
        return ready + inFlight === 0;
      }, 'size() of 0 after the other connection has acknowledged everything');
    },
  },
  {
    id: '0.4',
    slug: 'undeclared-refused',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'Every operation that is not declared rejects NQ_UNSUPPORTED and changes nothing.',
    why: 'A silent no-op is found out in production: a delay that is ignored, a dead letter that nobody keeps.',
    checkFirst: 'Is the capability looked at before the backend is called?',
    mutants: ['silent-noop-rewind', 'silent-noop-delay', 'silent-noop-dead-letter', 'silent-noop-extend'],
    async run(trial) {
      const queue = await trial.open();
      const { nackDelay, deadLetter, lease, replay } = queue.capabilities;
      const [event] = await trial.push(queue, 1);
      const delivery = await trial.take(queue);
      if (!nackDelay) await trial.rejects(delivery.nack({ delayMs: 10 }), 'NQ_UNSUPPORTED', 'nack with delayMs');
      if (!deadLetter) {
        await trial.rejects(delivery.nack({ deadLetter: true }), 'NQ_UNSUPPORTED', 'nack with deadLetter');
        await trial.rejects(queue.deadLetters.count(), 'NQ_UNSUPPORTED', 'deadLetters.count()');
        await trial.rejects(queue.deadLetters.list(), 'NQ_UNSUPPORTED', 'deadLetters.list()');
        await trial.rejects(queue.deadLetters.replay(), 'NQ_UNSUPPORTED', 'deadLetters.replay()');
        await trial.rejects(queue.deadLetters.remove(), 'NQ_UNSUPPORTED', 'deadLetters.remove()');
      }
      if (lease === false || !lease.extend) await trial.rejects(delivery.extend(1000), 'NQ_UNSUPPORTED', 'extend()');
      if (!replay) await trial.rejects(queue.rewind({ time: 0 }), 'NQ_UNSUPPORTED', 'rewind()');
      await delivery.ack();
      trial.verify(delivery.event.id === event?.id, 'another event came than the one that was pushed');
      await trial.nothing(queue, 'an operation that was refused has had an effect');
    },
  },
];
