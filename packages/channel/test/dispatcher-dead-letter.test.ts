import { channelQueue } from '@nq/channel';
import { createDispatcher, createQueue, deadLetter, NqError, type QueueDriver } from '@nq/core';
import { memoryDriver, virtualClock } from '@nq/core/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { event } from './dispatcher-support.ts';

/** What is told on stderr while an event is given up on a queue of a driver that answers as `script` says. */
async function givenUp(script: Partial<QueueDriver<string>>, options: { readonly letters?: boolean } = {}) {
  const told: string[] = [];
  const listener = ({ message }: Error): void => void told.push(message);
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  const clock = virtualClock();
  const queue = createQueue(Object.assign(memoryDriver({ clock }), script), { clock });
  const letters = channelQueue({ clock });
  const own = options.letters === false ? {} : { deadLetterQueue: letters };
  const dispatcher = createDispatcher({ queue }, { clock, retry: { maxDelayMs: 7000 }, ...own });
  dispatcher.on('test', () => deadLetter('no'));
  await dispatcher.start();
  await dispatcher.dispatch({ ...event(1), id: 'e-1' });
  await clock.settle();
  const { kept, deadLettered, unsettled } = await dispatcher.stats();
  return { told, kept, deadLettered, unsettled, letters: (await letters.size()).ready, queue };
}

const lost = async (all: readonly unknown[]): Promise<readonly boolean[]> => all.map(() => false);
const unknown = (): Promise<never> => Promise.reject(new NqError('NQ_OUTCOME_UNKNOWN', 'Cannot settle: vanished'));

describe('an event that is given up', () => {
  test('and is in the deadLetterQueue is not told to be kept, if it could not be acknowledged in time', async () => {
    const { told, queue, ...rest } = await givenUp({ ack: lost });
    expect(rest).toEqual({ kept: 0, deadLettered: 1, unsettled: 1, letters: 1 });
    expect(told).toEqual([
      'settle of event "e-1" of type "test": Cannot ack delivery 1 of event "e-1": its lease ended before',
    ]);
    expect(await queue.size()).toMatchObject({ delayed: 0 });
  });

  test('and is in the deadLetterQueue is not told to be kept, if nobody knows whether it was acknowledged', async () => {
    const { told, queue: _, ...rest } = await givenUp({ ack: unknown });
    expect(rest).toEqual({ kept: 0, deadLettered: 1, unsettled: 1, letters: 1 });
    expect(told).toEqual(['settle of event "e-1" of type "test": Cannot settle: vanished']);
  });

  test('too late to become a dead letter of its queue is not told to be kept', async () => {
    const { told, queue: _, ...rest } = await givenUp({ nack: lost }, { letters: false });
    expect(rest).toEqual({ kept: 0, deadLettered: 0, unsettled: 1, letters: 0 });
    expect(told).toEqual([
      'settle of event "e-1" of type "test": Cannot nack delivery 1 of event "e-1": its lease ended before',
    ]);
  });

  test('and may be a dead letter of its queue is told without a promise', async () => {
    const { nack } = Object.getPrototypeOf(memoryDriver()) as QueueDriver;
    let calls = 0;
    const script = {
      nack(this: QueueDriver, ...args: Parameters<QueueDriver['nack']>) {
        return calls++ === 0 ? unknown() : nack.apply(this, args);
      },
    };
    const { told, kept } = await givenUp(script, { letters: false });
    expect(kept).toBe(1);
    expect(told).toEqual(['dead-letter of event "e-1" of type "test": Cannot settle: vanished']);
  });

  test('and could not become a dead letter is told to be kept', async () => {
    let calls = 0;
    const { nack } = Object.getPrototypeOf(memoryDriver()) as QueueDriver;
    const script = {
      nack(this: QueueDriver, ...args: Parameters<QueueDriver['nack']>) {
        if (calls++ === 0) return Promise.reject(new NqError('NQ_FULL', 'Cannot keep a dead letter'));
        return nack.apply(this, args);
      },
    };
    const { told, queue, ...rest } = await givenUp(script, { letters: false });
    expect(rest).toEqual({ kept: 1, deadLettered: 0, unsettled: 0, letters: 0 });
    expect(await queue.size()).toMatchObject({ delayed: 1 });
    expect(told).toEqual([
      'dead-letter of event "e-1" of type "test": Cannot keep a dead letter (kept: it is handed out again in 7000 ms)',
    ]);
  });
});
