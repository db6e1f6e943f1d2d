import { describe, expect, test } from 'vitest';
import { makeOddQueue } from './odd-queue.ts';
import { reportLine, runForSummary } from './run-program.ts';

describe('a queue that outlives the program', () => {
  test('has its events found, its dead letters not counted again, and what is left counted', async () => {
    // Somebody else holds it: closing it is not the end of it, and opening it again gives the same one.
    const cwd = makeOddQueue(`
      const queue = channelQueue({ deadLetterCapacity: 2 });
      await queue.push({ type: 'earthquake', id: 'dead' });
      await (await queue.pop()).nack({ deadLetter: true, reason: 'before' });
      await queue.push({ type: 'earthquake', id: 'found', data: { mag: 1, rms: 0.1 } });
      const capabilities = { ...queue.capabilities, durable: 'process' };
      const open = () => change(queue, { capabilities, close: async () => ({ returned: 0, abandoned: 0, deadLetters: 0 }) });`);
    const input = reportLine('r1', { mag: null }) + reportLine('r2', { mag: null }) + reportLine('r3');
    const { code, summary } = await runForSummary(['--input', '-', '--queue', 'odd://'], { cwd, input });
    expect(code).toBe(1);
    // There is room for one of r1 and r2 as a dead letter; the run ends when the other one needs it.
    expect(summary).toMatchObject({
      found: 1,
      dispatched: 3,
      handled: 2,
      deadLettered: 1,
      left: 1,
      accounted: 4,
      expected: 4,
    });
    expect(summary.deadLetters).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('has no magnitude') }),
    ]);
  });
});

describe('a queue with an event of a type that the input does not have', () => {
  test('has it handled by the handlers of other events', async () => {
    const cwd = makeOddQueue(`
      const queue = channelQueue();
      await queue.push({ type: 'other', id: 'found' });
      const open = () => queue;`);
    const { code, summary } = await runForSummary(['--input', '-', '--queue', 'odd://'], { cwd });
    expect(code).toBe(0);
    expect(summary).toMatchObject({ found: 1, handled: 1, deadLettered: 0, failed: 0, audit: { lines: 1 } });
  });
});

describe('a queue that hands out an event again though it was handled', () => {
  test('changes no result', async () => {
    const cwd = makeOddQueue(`
      const queue = channelQueue();
      const late = (delivery) => delivery.attempt > 1 ? delivery : change(delivery, {
        ack: async () => {
          await delivery.nack();
          throw new NqError('NQ_LEASE_LOST', 'Cannot ack: too late');
        },
      });
      // Without its synchronous side, so that there is one way in and one way out.
      const open = () => change(queue, {
        tryPop: undefined,
        popMany: async (...args) => (await queue.popMany(...args)).map(late),
      });`);
    const input = reportLine('r1', { mag: 5 }) + reportLine('r2') + '{"type":"other","id":"o1"}';
    const { code, summary } = await runForSummary(['--input', '-', '--queue', 'odd://'], { cwd, input });
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      handled: 3,
      alerts: 1,
      audit: { lines: 3 },
      retries: { redelivered: 3 },
      problems: [],
    });
    expect(summary.types.map(({ handled }) => handled)).toEqual([2, 1]);
  });
});
