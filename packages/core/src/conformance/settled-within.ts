import { within } from '../bounded.ts';
import type { Clock } from '../clock.ts';
import { Hang } from './violation.ts';

/** `promise`, which must settle within `ms` milliseconds. @throws {Hang} that names `what` otherwise. */
export async function settledWithin<Result>(
  promise: Promise<Result>,
  what: string,
  ms: number,
  clock: Clock,
): Promise<Result> {
  const late = Symbol('late');
  const answer = await within(promise, ms, late, clock);
  if (answer === late) throw new Hang(`${what} did not settle within ${Math.round(ms)} ms`);
  return answer as Result;
}
