import type { Clock } from './clock.ts';
import { NqError } from './errors.ts';

/** `promise`, or `late` if it takes longer than `ms`. For what must end even if a backend never answers; not for hot paths. */
export function within<Value, Late>(
  promise: Promise<Value>,
  ms: number,
  late: Late,
  clock: Clock,
): Promise<Value | Late> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(() => resolve(late), ms);
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** What bounds a wait. */
interface Bounds {
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * `promise`, if it settles in time. Not for hot paths.
 *
 * @throws {NqError} `NQ_TIMEOUT`, with `message`, after `timeoutMs`. @throws `signal.reason` if it aborts before.
 */
export async function inTime<Value>(
  promise: Promise<Value>,
  { timeoutMs, signal }: Bounds,
  message: string,
  clock: Clock,
): Promise<Value> {
  let stop = (): void => {};
  const stopped = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    const timer =
      timeoutMs === Infinity ? undefined : clock.schedule(() => reject(new NqError('NQ_TIMEOUT', message)), timeoutMs);
    signal?.addEventListener('abort', onAbort);
    stop = () => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    if (signal?.aborted === true) onAbort();
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    stop();
  }
}
