import type { Case } from '../harness/case.ts';
import { throughput } from '../harness/measure-throughput.ts';
import { channels } from './groups.ts';
import { type BenchmarkEvent, handle, inFlight, inTurns, makeEvent } from './task.ts';

/** A power of two of slots and two counters: the least that keeps events in order. It checks nothing. */
class BareRing {
  readonly #slots: (BenchmarkEvent | undefined)[];
  readonly #mask: number;
  #head = 0;
  #tail = 0;

  constructor(capacity: number) {
    this.#slots = Array.from({ length: 2 ** Math.ceil(Math.log2(capacity)) });
    this.#mask = this.#slots.length - 1;
  }

  push(event: BenchmarkEvent): void {
    this.#slots[this.#tail++ & this.#mask] = event;
  }

  shift(): BenchmarkEvent | undefined {
    const place = this.#head & this.#mask;
    const event = this.#slots[place];
    if (event === undefined) return undefined;
    this.#slots[place] = undefined;
    this.#head++;
    return event;
  }
}

export const bareRing: Case = {
  name: 'a bare ring',
  group: channels,
  does: 'The same 1,000 events in flight through an array and two counters: no deliveries, no waiting, no checks.',
  run: throughput(async () => {
    const ring = new BareRing(inFlight);
    return inTurns((from, end) => {
      for (let index = from; index < end; index++) ring.push(makeEvent(index));
      for (let event = ring.shift(); event !== undefined; event = ring.shift()) handle(event);
    });
  }),
};
