import type { AsyncCommand } from '../fast-check.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import type { Trial } from '../trial.ts';
import type { Neighbour } from '../trial-parts.ts';
import type { QueueModel } from './queue-model.ts';

/** The queue beside the model. */
export interface RealQueue {
  readonly trial: Trial;
  readonly place: Neighbour;
  /** The connections that are open. */
  queues: ObservedQueue<unknown>[];
}

type Command = AsyncCommand<QueueModel, RealQueue>;

/** Does to the queue what `run` does, whatever the state. */
function command(name: string, check: (model: QueueModel) => boolean, run: Command['run']): Command {
  return { check, run, toString: () => name };
}

function connection({ queues }: RealQueue, which: number): ObservedQueue<unknown> {
  return queues[which % queues.length] as ObservedQueue<unknown>;
}

/** Pushes an event without waiting. */
export function pushCommand(which: number, key: string): Command {
  return command(
    `push(${key})`,
    () => true,
    async (model, real) => {
      const { trial } = real;
      const event = trial.event({ key });
      const push = connection(real, which).push(event, { timeoutMs: 0 });
      if (model.full) await trial.rejects(push, 'NQ_FULL', 'a push into a full queue');
      else {
        await push;
        model.push(event);
      }
    },
  );
}

/** Pops: an event that the model allows, or nothing if there is none. */
export function popCommand(which: number): Command {
  return command(
    'pop()',
    () => true,
    async (model, real) => {
      const { trial } = real;
      const queue = connection(real, which);
      const { next } = model;
      if (next.length === 0) {
        await trial.nothing(queue, 'there is no event in the model', 0);
        return;
      }
      if (!model.mustCome) return;
      const delivery = await trial.take(queue, 'an event of the model');
      const one = next.find(({ event }) => event.id === delivery.event.id);
      const allowed = next.map(({ event }) => trial.journal.nameOf(event.id)).join(' or ');
      trial.verify(one !== undefined, () => `${trial.show(delivery)} came out; expected ${allowed}`);
      if (one === undefined) return;
      trial.verify(
        delivery.attempt === one.attempts + 1,
        () => `${trial.show(delivery)}: expected attempt ${one.attempts + 1}`,
      );
      trial.verify(
        trial.sameData(delivery.event.data, one.event.data),
        () => `${trial.show(delivery)} has other data than was pushed`,
      );
      trial.verify(
        delivery.event.key === one.event.key,
        () => `${trial.show(delivery)} has another key than was pushed`,
      );
      model.handOut(one, delivery);
    },
  );
}

/** Acknowledges a delivery, or gives it back. With cumulative acknowledgement it is always the oldest. */
export function settleCommand(which: number, verb: 'ack' | 'nack'): Command {
  return command(
    `${verb}()`,
    ({ held }) => held.length > 0,
    async (model) => {
      const { ack } = model.capabilities;
      const held = model.held[ack === 'cumulative' ? 0 : which % model.held.length];
      if (held === undefined) return;
      await held.delivery[verb]();
      model.settle(held, verb === 'nack');
    },
  );
}

/** Counts what is there. */
export function sizeCommand(which: number): Command {
  return command(
    'size()',
    ({ capabilities }) => capabilities.size === 'exact',
    async ({ ready, held }, real) => {
      const size = await connection(real, which).size();
      real.trial.verify(
        size.ready === ready.length && size.inFlight === held.length,
        () =>
          `size() is ${size.ready} ready and ${size.inFlight} in flight; expected ${ready.length} and ${held.length}`,
      );
    },
  );
}

/** Opens another connection. Where events are divided among connections, the model does not know who has which. */
export function connectCommand(): Command {
  return command(
    'open()',
    ({ capabilities }) => capabilities.multiInstance && capabilities.order === 'fifo',
    async (_model, real) => {
      if (real.queues.length < 3) real.queues.push(await real.place.open());
    },
  );
}

/** Closes every connection and opens the queue again: what was not settled comes back. */
export function reopenCommand(): Command {
  return command(
    'close() and open()',
    ({ capabilities }) => capabilities.durable !== 'none',
    async (model, real) => {
      for (const queue of real.queues) await queue.close();
      real.queues = [await real.place.open()];
      model.returnAll();
    },
  );
}
