import type { Clock } from './clock.ts';

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
