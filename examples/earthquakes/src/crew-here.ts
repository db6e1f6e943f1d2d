import { AuditLog, refuseInput } from './audit-log.ts';
import type { Crew, CrewParts } from './crew.ts';
import { formatNumberOf } from './format.ts';
import { Handling } from './handling.ts';
import { countDead, countLeft, listDead } from './queue-counts.ts';
import { shownDeadLetters } from './summary.ts';

/** Handles the events in this process. @throws {Failure} if the audit log cannot be written. */
export async function crewHere({ args, dispatcher, queue, deadBefore, ending }: CrewParts): Promise<Crew> {
  await refuseInput(args.audit, args.input);
  const audit = await AuditLog.open(args.audit);
  const handling = new Handling(dispatcher, audit, (error) => ending.abort(error));
  return {
    marks: handling.once,
    start: () => dispatcher.start(args.workers),
    drain: () => dispatcher.drain({ signal: ending.signal }),
    async end() {
      // Before the queue is closed, and perhaps gone.
      const deadLetters = await listDead(queue, deadBefore, shownDeadLetters);
      const dead = await countDead(queue);
      const { deadLettered } = await dispatcher.stats();
      const work = await handling.end();
      // After a signal, events may have become dead letters while the dispatcher stopped.
      const deadSince = (await dispatcher.stats()).deadLettered - deadLettered;
      const lines = await audit.close();
      const problem = `the audit log has ${formatNumberOf(lines, 'line')} for ${formatNumberOf(work.handled, 'handled event')}`;
      return {
        ...work,
        results: handling.results,
        duplicates: 0,
        deadLettered: dead - deadBefore + deadSince,
        deadLetters,
        left: await countLeft(args.queue, queue, work.stop, ending.signal.aborted),
        audit: { path: args.audit, lines },
        workers: [],
        problems: lines === work.handled ? [] : [problem],
      };
    },
    // The dispatcher is stopped by whoever has opened it.
    [Symbol.asyncDispose]: async () => {},
  };
}
