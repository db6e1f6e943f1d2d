import type { Capabilities } from './capabilities.ts';
import { NqError } from './errors.ts';
import type { DeadLetters } from './queue.ts';

/** The error of an operation that a queue does not declare. */
export function unsupported(operation: string, capability: keyof Capabilities | 'lease.extend'): NqError {
  return new NqError('NQ_UNSUPPORTED', `Cannot ${operation}: this queue does not declare the capability ${capability}`);
}

const refuseDeadLetters = async (): Promise<never> => {
  throw unsupported('use dead letters', 'deadLetter');
};

/** The dead letters of a queue that keeps none: every method rejects `NQ_UNSUPPORTED`. */
export const noDeadLetters: DeadLetters = Object.freeze({
  count: refuseDeadLetters,
  list: refuseDeadLetters,
  replay: refuseDeadLetters,
  remove: refuseDeadLetters,
});
