import { describe } from '../check.ts';
import type { MessageQueue } from '../queue.ts';
import { Violation } from './violation.ts';

/** The methods without which nothing is a queue. */
const methods = ['push', 'pushMany', 'pop', 'popMany', 'size', 'close'] as const satisfies (keyof MessageQueue)[];

/** @throws {Violation} if what `open()` of a namespace has answered is no queue. */
export function checkQueue(answer: unknown): asserts answer is MessageQueue {
  const said = `open() of the namespace answered ${describe(answer)}`;
  if (typeof answer !== 'object' || answer === null) throw new Violation(`${said}; expected a MessageQueue`);
  const missing = methods.find((name) => typeof (answer as Partial<MessageQueue>)[name] !== 'function');
  if (missing === undefined) return;
  throw new Violation(`${said} without ${missing}(); expected a MessageQueue, which createQueue() makes of a driver`);
}
