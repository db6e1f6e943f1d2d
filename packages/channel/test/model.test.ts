import type { Delivery } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { channelQueue } from '@nq/channel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { event } from './support.ts';

/** What a channel is, without any cleverness: arrays, searched from the front. */
class Model {
  readonly ready: number[] = [];
  readonly delayed: { readonly id: number; readonly due: number }[] = [];
  readonly held = new Map<number, Delivery>();
  readonly attempts = new Map<number, number>();
  pushed = 0;
  now = 0;
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get full(): boolean {
    return this.ready.length + this.delayed.length >= this.capacity;
  }

  makeReady(id: number): void {
    this.ready.push(id);
    this.ready.sort((a, b) => a - b);
  }

  advance(ms: number): void {
    this.now += ms;
    for (const one of this.delayed.filter(({ due }) => due <= this.now)) {
      this.delayed.splice(this.delayed.indexOf(one), 1);
      this.makeReady(one.id);
    }
  }
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ do: 'push' } as const) },
  { weight: 5, arbitrary: fc.constant({ do: 'pop' } as const) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ack' as const), which: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('nack' as const),
      which: fc.nat(20),
      delayMs: fc.constantFrom(0, 0, 5, 20),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 25) }) },
);

test('a channel does what a list would do, whatever the order of calls', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 3, 64, 200),
      fc.array(step, { maxLength: 80, size: 'max' }),
      async (capacity, steps) => {
        const clock = virtualClock();
        const queue = channelQueue({ capacity, clock, leaseMs: 1_000_000 });
        const model = new Model(capacity);
        /** What the channel and the model answered, step by step. */
        const seen: unknown[] = [];
        const expected: unknown[] = [];
        const pick = (which: number): [number, Delivery] | undefined => [...model.held][which % (model.held.size || 1)];

        for (const one of steps) {
          if (one.do === 'push') {
            const { full } = model;
            const id = model.pushed;
            const pushed = await queue.push(event(id), { timeoutMs: 0 }).then(
              () => true,
              () => false,
            );
            seen.push(['pushed', pushed]);
            expected.push(['pushed', !full]);
            if (pushed) {
              model.pushed++;
              model.makeReady(id);
            }
          } else if (one.do === 'pop') {
            const delivery = await queue.pop({ timeoutMs: 0 });
            const id = model.ready.shift();
            if (id !== undefined) model.attempts.set(id, (model.attempts.get(id) ?? 0) + 1);
            seen.push(['popped', delivery?.event.data, delivery?.attempt]);
            expected.push(['popped', id, id === undefined ? undefined : model.attempts.get(id)]);
            if (id !== undefined && delivery !== undefined) model.held.set(id, delivery);
          } else if (one.do === 'advance') {
            await clock.advance(one.ms);
            model.advance(one.ms);
          } else {
            const [id, delivery] = pick(one.which) ?? [];
            if (id === undefined || delivery === undefined) continue;
            model.held.delete(id);
            if (one.do === 'ack') await delivery.ack();
            else {
              await delivery.nack({ delayMs: one.delayMs });
              if (one.delayMs === 0) model.makeReady(id);
              else model.delayed.push({ id, due: model.now + one.delayMs });
            }
          }
          const { ready, inFlight, delayed } = await queue.size();
          seen.push([ready, inFlight, delayed]);
          expected.push([model.ready.length, model.held.size, model.delayed.length]);
        }
        const { returned, abandoned } = await queue.close();
        const { length: ready } = model.ready;
        seen.push([returned, abandoned, clock.timers]);
        expected.push([0, ready + model.delayed.length + model.held.size, 0]);
        expect(seen).toEqual(expected);
      },
    ),
    { numRuns: 150 },
  );
});
