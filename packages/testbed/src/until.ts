import { setTimeout as sleep } from 'node:timers/promises';

/** How a wait is bounded, and how it is told when it was in vain. */
export interface UntilOptions {
  /** How long to wait, in milliseconds. @default 40_000 */
  readonly deadlineMs?: number | undefined;
  /** How often to look, in milliseconds. @default 10 */
  readonly everyMs?: number | undefined;
}

/**
 * Looks until `fact` has a value that is none of `undefined`, `null` and `false`, and resolves with that. A look that throws is a
 * look in vain; what the last one threw becomes the cause of the failure.
 *
 * @param what what is waited for, as it follows 'Waited in vain for '
 * @throws {Error} after `deadlineMs`.
 */
export async function until<Value>(
  what: string,
  fact: () => Value | Promise<Value>,
  { deadlineMs = 40_000, everyMs = 10 }: UntilOptions = {},
): Promise<Exclude<Value, undefined | null | false>> {
  const giveUpAt = performance.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await fact();
      if (value !== undefined && value !== null && value !== false)
        return value as Exclude<Value, undefined | null | false>;
      cause = undefined;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      cause = error;
    }
    if (performance.now() >= giveUpAt) {
      const last = cause instanceof Error ? `: ${cause.message}` : '';
      throw new Error(`Waited in vain for ${what}, for ${deadlineMs} ms${last}`, { cause });
    }
    await sleep(everyMs);
  }
}

/** What a look throws when there is nothing to wait for any more. */
export class Hopeless extends Error {
  override readonly name = 'Hopeless';
}
