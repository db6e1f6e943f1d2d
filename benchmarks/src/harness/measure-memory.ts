import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber } from './format.ts';

/** What {@link heldMemory} reads. */
export const memoryColumns: readonly Column[] = [
  { heading: 'heap bytes per event', keys: ['heapBytesPerEvent'], format: formatNumber },
  { heading: 'RSS bytes per event', keys: ['rssBytesPerEvent'], format: formatNumber },
];

/** What a case that uses {@link heldMemory} has to say in its `nodeFlags`. */
export const memoryFlags: readonly string[] = ['--expose-gc'];

/** One collection is not enough: what weak references and finalizers hold goes in the next one. */
const collections = 4;
const warmUpEvents = 1000;

/**
 * Measures what a structure costs that holds `heldEvents` events.
 *
 * @param prepare resolves with a function that makes one which holds so many. Called twice; the first one is for
 * warming up.
 */
export function heldMemory(prepare: () => Promise<(count: number) => unknown>): (budget: Budget) => Promise<Readings> {
  return async ({ heldEvents }) => {
    const fill = await prepare();
    // What is made once, at first use, is not for any event.
    fill(warmUpEvents);
    const before = memoryInUse();
    const held = fill(heldEvents);
    const after = memoryInUse();
    // Looked at, so that it is still held where memory is counted.
    if (held === undefined) throw new TypeError('The case holds nothing');
    return {
      heapBytesPerEvent: (after.heap - before.heap) / heldEvents,
      rssBytesPerEvent: (after.rss - before.rss) / heldEvents,
    };
  };
}

function memoryInUse(): { readonly heap: number; readonly rss: number } {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Memory is measured with node --expose-gc');
  for (let times = 0; times < collections; times++) gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}
