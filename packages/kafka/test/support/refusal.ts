import { inspect } from 'node:util';
import { isNqError } from '@nq/core';

/** How a call was refused. */
export interface Refusal {
  /** The code and the message. */
  readonly told: string;
  /** Everything that is shown of the error, with what is hidden and with its causes. */
  readonly shown: string;
  readonly tookMs: number;
}

/** How `call` rejects. @throws {Error} if it does not, or with something else than an error of nq. */
export async function refusalOf(call: () => Promise<unknown>): Promise<Refusal> {
  const startedAt = performance.now();
  const failure = await call().then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!isNqError(failure)) throw new Error('it was not refused', { cause: failure });
  const shown = inspect(failure, { depth: Infinity, showHidden: true });
  return { told: `${failure.code} ${failure.message}`, shown, tookMs: performance.now() - startedAt };
}
