import { format, parse } from 'node:path';
import type { MessageQueue, StopReport } from '@nq/core';
import { Accounts } from './accounts.ts';
import type { Arguments } from './arguments.ts';
import { refuseInput } from './audit-log.ts';
import type { Crew, CrewParts } from './crew.ts';
import { Failure } from './failure.ts';
import { formatMs } from './format.ts';
import type { Work } from './handling.ts';
import { marksForOthers } from './once.ts';
import { countDead, listDead, sizeOf, untilEmpty } from './queue-counts.ts';
import { shownDeadLetters } from './summary.ts';
import { WorkerProcess } from './worker-process.ts';

/** Has the events handled in `count` processes of their own, each with its audit log. @throws {Failure} if the queue cannot. */
export async function crewOfProcesses(count: number, parts: CrewParts): Promise<Crew> {
  const { args, queue, deadBefore, ending, say } = parts;
  refuseUnshared(args, queue);
  const paths = Array.from({ length: count }, (_, index) => auditPath(args.audit, `${index + 1}`));
  for (const path of paths) await refuseInput(path, args.input);

  let workers: readonly WorkerProcess[] = [];
  const running = new Set<WorkerProcess>();
  /** Whether they are to end: from then on it is no news that they do. */
  let isEnding = false;
  const onEnded = (worker: WorkerProcess): void => {
    running.delete(worker);
    // One that ends before it has begun is told by `start()`.
    if (isEnding || ending.signal.aborted || !worker.hasBegun) return;
    say(`${worker.name} (process ${worker.pid}) ${worker.end}${comesBack(queue, worker)}`);
    if (running.size > 0) return;
    ending.abort(new Failure(`no worker is left: ${workers.map(({ name, end }) => `${name} ${end}`).join(', ')}`));
  };
  const stopAll = async (): Promise<void> => {
    isEnding = true;
    for (const worker of running) worker.stop();
    await Promise.all(workers.map(({ ended }) => ended));
  };

  return {
    marks: marksForOthers(),
    async start() {
      workers = paths.map((audit, index) => {
        return new WorkerProcess(index + 1, { queue: args.queue, workers: args.workers, audit }, say);
      });
      for (const worker of workers) {
        running.add(worker);
        void worker.ended.then(() => onEnded(worker));
      }
      await Promise.race([Promise.all(workers.map(({ begun }) => begun)), whenAborted(ending.signal)]);
      for (const worker of workers) say(`${worker.name} is process ${worker.pid}`);
    },
    drain: () => untilEmpty(queue, ending.signal),
    async end(expected) {
      await stopAll();
      const accounts = new Accounts();
      const summaries = [];
      for (const worker of workers) summaries.push(worker.summary(await accounts.addLog(worker.audit)));
      const letters = await listDead(queue, deadBefore, (await countDead(queue)) - deadBefore);
      const deadLetters = accounts.notHandled(letters);
      const missing = expected - accounts.handled - deadLetters.length;
      return {
        ...addUp(workers.flatMap(({ work }) => work ?? [])),
        results: accounts.results,
        handled: accounts.handled,
        duplicates: accounts.duplicates,
        deadLettered: deadLetters.length,
        deadLetters: deadLetters.slice(0, shownDeadLetters),
        // The queue may also hold what was handled, and not acknowledged before a worker was killed.
        left: ending.signal.aborted ? Math.max(0, Math.min(missing, await sizeOf(queue))) : 0,
        timeInQueueMs: undefined,
        audit: {
          path: auditPath(args.audit, count === 1 ? '1' : `{1..${count}}`),
          lines: summaries.reduce((sum, { handled }) => sum + handled, 0),
        },
        workers: summaries,
        problems: workers.flatMap(({ failure }) => failure?.message ?? []),
      };
    },
    [Symbol.asyncDispose]: stopAll,
  };
}

/** @throws {Failure} if other processes cannot have the same queue. */
function refuseUnshared({ queue: source }: Arguments, { capabilities }: MessageQueue): void {
  if (capabilities.multiInstance) return;
  const type = typeof source === 'string' ? new URL(source).protocol.slice(0, -1) : source.type;
  const why = `a ${type} is in one process only (its capabilities say multiInstance: false)`;
  throw new Failure(`Cannot work with --processes: ${why}; give a queue elsewhere with --queue`, 2);
}

/** `audit.ndjson` is `audit-1.ndjson` for worker 1. */
function auditPath(path: string, suffix: string): string {
  const { dir, name, ext } = parse(path);
  return format({ dir, name: `${name}-${suffix}`, ext });
}

/** When others get what a worker had in hand that could not give it back. */
function comesBack({ capabilities: { lease } }: MessageQueue, worker: WorkerProcess): string {
  if (worker.work !== undefined) return '';
  return `; the others get what it had in hand${lease === false ? '' : ` when its leases have ended, within ${formatMs(lease.ms)}`}`;
}

function addUp(works: readonly Work[]): { failed: number; retries: Work['retries']; stop: StopReport } {
  const sum = (count: (work: Work) => number): number => works.reduce((total, work) => total + count(work), 0);
  return {
    failed: sum(({ failed }) => failed),
    retries: { inPlace: sum(({ retries }) => retries.inPlace), redelivered: sum(({ retries }) => retries.redelivered) },
    stop: {
      completed: sum(({ stop }) => stop.completed),
      returned: sum(({ stop }) => stop.returned),
      abandoned: sum(({ stop }) => stop.abandoned),
      deadLetters: sum(({ stop }) => stop.deadLetters),
    },
  };
}

/** @throws the reason of `signal` once it aborts. */
function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
