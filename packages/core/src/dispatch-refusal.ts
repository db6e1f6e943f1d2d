import { checkWaiting } from './check.ts';
import { isNqError, NqError } from './errors.ts';
import { checkEvent, type EventInput } from './event.ts';
import type { WaitOptions } from './queue.ts';

/** A `dispatch()` that the queue has refused. */
interface RefusedDispatch {
  readonly event: EventInput;
  readonly options: WaitOptions | undefined;
  /** Whether anybody takes events out of the queue here. */
  readonly isStarted: boolean;
  /** Whether `stop()` has closed the queue, or is about to. */
  readonly isStopped: boolean;
}

/**
 * What `dispatch()` rejects with when the queue has refused its event with `error`: the same, in the words of who
 * dispatches. Asked only then, so that it costs nothing where events are accepted.
 */
export function dispatchRefusal(error: unknown, { event, options, isStarted, isStopped }: RefusedDispatch): unknown {
  if (options?.signal?.aborted === true && error === options.signal.reason) return error;
  if (error instanceof TypeError || error instanceof RangeError || isNqError(error, 'NQ_PAYLOAD')) {
    const misuse = misuseOf(event, options);
    if (misuse !== undefined) return misuse;
  }
  if (!isNqError(error)) return error;
  if (isStopped && error.code === 'NQ_CLOSED') {
    return new NqError('NQ_STOPPED', 'Cannot dispatch: the dispatcher was stopped meanwhile');
  }
  // The likeliest reason why nobody makes room.
  const why =
    !isStarted && (error.code === 'NQ_FULL' || error.code === 'NQ_TIMEOUT') ? '; the dispatcher is not started' : '';
  const message = error.message.replace(/^Cannot push\b/, 'Cannot dispatch') + why;
  if (message === error.message) return error;
  return new NqError(error.code, message, {
    ...('cause' in error && { cause: error.cause }),
    ...(error.stored !== undefined && { stored: error.stored }),
  });
}

/** What is wrong with the call itself, by now: the event is the caller's own and may have changed since. */
function misuseOf(event: EventInput, options: WaitOptions | undefined): unknown {
  try {
    checkEvent(event, 'dispatch');
    if (options !== undefined) checkWaiting('Cannot dispatch', options);
    return undefined;
  } catch (misuse) {
    return misuse;
  }
}
