import type { QueueEvent } from '@nq/core';
import type { Operation } from '../harness/measure-throughput.ts';

/** What travels in every case. */
export type BenchmarkEvent = QueueEvent<number, 'bench'>;

/** The bound of bounded queues, and how many events are under way at once in the others. */
export const inFlight = 1000;

// One id and one time for all events: making them costs the same whatever the queue, and would only hide differences.
const id = 'bench-000000000000';
const time = Date.now();

/** A complete event, so that no queue has anything to fill in. */
export function makeEvent(index: number): BenchmarkEvent {
  return { id, type: 'bench', data: index, time };
}

let sum = 0;
let left = 0;
let onAllHandled = (): void => {};

/** The synchronous handler: adds up what the events hold, in 32 bits, so that no number is allocated. */
export function handle(event: QueueEvent<number>): void {
  sum = (sum + event.data) | 0;
  if (--left === 0) onAllHandled();
}

/** The asynchronous handler: an async function that has nothing to wait for. */
export async function handleAsync(event: QueueEvent<number>): Promise<void> {
  handle(event);
}

/** The handler that waits, as one that does I/O: it ends in the next turn of the event loop. */
export function handleNextTurn(event: QueueEvent<number>): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => {
      handle(event);
      resolve();
    });
  });
}

/** Pushes one event after the other and awaits every push. */
export function awaitingEach(push: (event: BenchmarkEvent) => Promise<unknown>): Operation {
  return (count) =>
    checked(count, async () => {
      const handled = expectEvents(count);
      for (let index = 0; index < count; index++) await push(makeEvent(index));
      await handled;
    });
}

/** Offers one event after the other, and waits only where the queue says that there is something to wait for. */
export function waitingIfFull(offer: (event: BenchmarkEvent) => Promise<unknown> | undefined): Operation {
  return (count) =>
    checked(count, async () => {
      const handled = expectEvents(count);
      for (let index = 0; index < count; index++) {
        const waiting = offer(makeEvent(index));
        if (waiting !== undefined) await waiting;
      }
      await handled;
    });
}

/** Puts in as many events as may be under way, waits until all of them are handled, and so on. Awaits no push. */
export function inBatches(put: (event: BenchmarkEvent) => unknown): Operation {
  return (count) =>
    checked(count, async () => {
      for (let index = 0; index < count;) {
        const end = Math.min(count, index + inFlight);
        const handled = expectEvents(end - index);
        for (; index < end; index++) put(makeEvent(index));
        await handled;
      }
    });
}

/** The same for many events at a time: `size` of them in one call, which is awaited. */
export function inArrays(size: number, push: (events: BenchmarkEvent[]) => Promise<unknown>): Operation {
  return (count) =>
    checked(count, async () => {
      const handled = expectEvents(count);
      for (let index = 0; index < count;) {
        const events: BenchmarkEvent[] = [];
        for (const end = Math.min(count, index + size); index < end; index++) events.push(makeEvent(index));
        await push(events);
      }
      await handled;
    });
}

/** For operations that put in and take out by themselves, in turns of at most {@link inFlight} events. */
export function inTurns(turn: (from: number, end: number) => Promise<void> | void): Operation {
  return (count) =>
    checked(count, async () => {
      left = count;
      for (let from = 0; from < count; from += inFlight) {
        const waiting = turn(from, Math.min(count, from + inFlight));
        if (waiting !== undefined) await waiting;
      }
    });
}

function expectEvents(count: number): Promise<void> {
  left = count;
  return new Promise((resolve) => {
    onAllHandled = resolve;
  });
}

/**
 * Does `work`. An event that is lost keeps it waiting, until the run counts as hung.
 *
 * @throws {Error} if what was handled is not what was put in: such a queue is not measured, however fast it is.
 */
async function checked(count: number, work: () => Promise<void>): Promise<void> {
  sum = 0;
  await work();
  const expected = BigInt.asIntN(32, (BigInt(count) * BigInt(count - 1)) / 2n);
  if (BigInt(sum) !== expected || left !== 0)
    throw new Error(`The events that were handled are not the ${count} put in`);
}
