import { within } from './bounded.ts';
import { keepsNothing } from './capabilities.ts';
import type { Clock } from './clock.ts';
import type { MessageQueue } from './queue.ts';

/** What is gone with a queue. */
interface Gone {
  /** Events that are ready or delayed; `undefined` if they are kept, or were not counted in time. */
  readonly events: number | undefined;
  /** Dead letters, likewise. */
  readonly deadLetters: number | undefined;
}

/** How many events and dead letters are gone when `queue` is closed now, as far as it counts them within `ms`. Never rejects. */
export async function goneWith(
  queue: Pick<MessageQueue, 'capabilities' | 'size' | 'deadLetters'>,
  ms: number,
  clock: Clock,
): Promise<Gone> {
  const { capabilities } = queue;
  if (!keepsNothing(capabilities)) return { events: undefined, deadLetters: undefined };
  const counted = (count: () => Promise<number>): Promise<number | undefined> =>
    within(
      count().catch(() => undefined),
      ms,
      undefined,
      clock,
    );
  const [events, deadLetters] = await Promise.all([
    counted(async () => {
      const { ready, delayed } = await queue.size();
      return ready + delayed;
    }),
    counted(async () => (capabilities.deadLetter ? queue.deadLetters.count() : 0)),
  ]);
  return { events, deadLetters };
}
