import { describe, expect, test } from 'vitest';
import {
  awaitingEach,
  handle,
  handleAsync,
  inArrays,
  inBatches,
  inTurns,
  makeEvent,
  waitingIfFull,
} from '../src/channel/task.ts';

describe('an operation', () => {
  const count = 2500;
  test.for([
    ['awaitingEach', awaitingEach(handleAsync)],
    ['waitingIfFull', waitingIfFull((event) => void handle(event))],
    ['inBatches', inBatches(handleAsync)],
    ['inArrays', inArrays(100, async (events) => events.forEach(handle))],
    [
      'inTurns',
      inTurns((from, end) => {
        for (let index = from; index < end; index++) handle(makeEvent(index));
      }),
    ],
  ] as const)('%s puts in every event once', async ([, operation]) => {
    await expect(operation(count)).resolves.toBeUndefined();
  });

  test('refuses a queue that hands out another event than was put in', async () => {
    const operation = inBatches((event) => handle({ ...event, data: 0 }));
    await expect(operation(count)).rejects.toThrow('not the 2500 put in');
  });

  test('refuses a queue that hands out an event twice', async () => {
    const operation = inTurns((from) => {
      for (let index = 0; index < 2; index++) handle(makeEvent(from));
    });
    await expect(operation(1)).rejects.toThrow('not the 1 put in');
  });
});
