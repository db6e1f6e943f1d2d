// A worker process: opens the queue that the program names which has started it, and handles events until it is told to end.
import { once } from 'node:events';
import { AuditLog } from './audit-log.ts';
import { messageOf, orFailure } from './failure.ts';
import { endDeadlineMs, Handling, openDispatcher } from './handling.ts';
import type { FromWorker, Task, ToWorker } from './worker-messages.ts';

const ending = new AbortController();
const end = (): void => ending.abort();
// Ctrl-C reaches this process too, and a second one ends it at once.
process.once('SIGINT', end).once('SIGTERM', end);
process.on('message', (message: ToWorker) => {
  if (message.what === 'end') end();
});
// The program is gone, and cannot kill us any more. If we are ending already, it was in a hurry.
process.once('disconnect', () => {
  if (ending.signal.aborted) process.exit(1);
  setTimeout(() => process.exit(1), endDeadlineMs);
  end();
});

/** Resolves once the message is on its way; also if nobody is there to read it. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });
}

/** Tells why this process cannot go on, and ends it after what is in hand. */
function fail(error: unknown): void {
  process.exitCode = 1;
  void tell({ what: 'fail', message: messageOf(error) });
  end();
}

/** The first message; `undefined` if it is to end before. */
async function task(): Promise<Task | undefined> {
  try {
    const [message] = (await once(process, 'message', { signal: ending.signal })) as [ToWorker];
    return message.what === 'begin' ? message.task : undefined;
  } catch {
    return undefined;
  }
}

async function handle({ queue, workers, audit }: Task): Promise<void> {
  const log = await AuditLog.open(audit);
  const say = (text: string): void => void tell({ what: 'say', text });
  await using dispatcher = await openDispatcher(queue, { say, fail });
  const handling = new Handling(dispatcher, log, fail);
  await orFailure(() => dispatcher.start(workers));
  await tell({ what: 'begun' });
  if (!ending.signal.aborted) await once(ending.signal, 'abort');
  await tell({ what: 'report', work: await handling.end() });
}

// A warning that nobody reads is no reason to end.
process.stderr.on('error', () => {});
const given = await task();
if (given !== undefined) await handle(given).catch(fail);
// Messages are sent in order, so the last one is the end of all. Whatever is still open: no worker outlives its program.
await tell({ what: 'bye' });
process.exit();
