import type { Engine } from './engine.ts';
import { isNqError, NqError } from './errors.ts';
import { checkEvent, type EventInput } from './event.ts';

/**
 * What `dispatch()` rejects with when the queue has refused `event` with `error`: the same, in the words of who dispatches.
 * Asked only then, so that it costs nothing where events are accepted.
 *
 * @throws {TypeError} or {NqError} if the event itself is wrong.
 */
export function dispatchRefusal(error: unknown, event: EventInput, engine: Engine): unknown {
  checkEvent(event, 'dispatch');
  return isNqError(error, 'NQ_FULL') || isNqError(error, 'NQ_TIMEOUT') ? whyFull(error, engine) : error;
}

/** The `error` of a full queue, with the likeliest reason why nobody makes room. */
export function whyFull(error: NqError, { intake }: Engine): NqError {
  if (intake !== undefined) return error;
  const message = `${error.message}; the dispatcher is not started`;
  return new NqError(error.code, message, 'cause' in error ? { cause: error.cause } : {});
}
