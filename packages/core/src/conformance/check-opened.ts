import { describe } from '../check.ts';
import type { MessageQueue } from '../queue.ts';
import type { Inspection, Peer } from './harness.ts';
import { Violation } from './violation.ts';

/** The methods without which nothing is a queue. */
const queueMethods = ['push', 'pushMany', 'pop', 'popMany', 'size', 'close'] as const satisfies (keyof MessageQueue)[];

/** @throws {Violation} if what `open()` of a namespace has answered is no queue. */
export function checkQueue(answer: unknown): asserts answer is MessageQueue {
  const said = `open() of the namespace answered ${describe(answer)}`;
  if (typeof answer !== 'object' || answer === null) throw new Violation(`${said}; expected a MessageQueue`);
  const missing = queueMethods.find((name) => typeof (answer as Partial<MessageQueue>)[name] !== 'function');
  if (missing === undefined) return;
  throw new Violation(`${said} without ${missing}(); expected a MessageQueue, which createQueue() makes of a driver`);
}

/** What `inspect()` counts. */
const counts = ['ready', 'inFlight', 'delayed', 'deadLetters'] as const satisfies (keyof Inspection)[];

/** What `inspect()` of a namespace has answered. @throws {Violation} if it counts nothing. */
export function inspectionOf(answer: unknown): Inspection {
  for (const name of counts) {
    const count: unknown = (answer as Partial<Inspection> | null | undefined)?.[name];
    if (typeof count === 'number' && count >= 0) continue;
    const said = typeof answer === 'object' && answer !== null ? `${name}: ${describe(count)}` : describe(answer);
    throw new Violation(`inspect() of the namespace answered ${said}; expected the numbers ${counts.join(', ')}`);
  }
  return answer as Inspection;
}

/** @throws {Violation} if what `fork()` of a namespace has answered is no process that can be spoken to. */
export function checkPeer(answer: unknown): asserts answer is Peer {
  const { send, on, kill } = (answer ?? {}) as Partial<Peer>;
  if (typeof on !== 'function' || typeof kill !== 'function') {
    throw new Violation(`fork() of the namespace answered ${describe(answer)}; expected a process`);
  }
  if (typeof send !== 'function') {
    throw new Violation(
      'fork() of the namespace answered a process without an IPC channel; fork() of node:child_process makes one',
    );
  }
}
