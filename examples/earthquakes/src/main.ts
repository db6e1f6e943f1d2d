import { isNqError } from '@nq/core';
import { CommanderError } from 'commander';
import { readArguments } from './arguments.ts';
import { Failure, reasonOf } from './failure.ts';
import { run } from './run.ts';
import { renderSummary } from './tables.ts';

/** What a shell says of a process that a signal has ended: 128 and its number. */
const signalExitCodes: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143 };

/** @returns the exit code. */
async function main(): Promise<number> {
  const ending = new AbortController();
  // Once each: whoever presses Ctrl-C again does not want to wait.
  for (const name of Object.keys(signalExitCodes)) process.once(name, () => ending.abort(name));
  try {
    const args = readArguments(process.argv.slice(2), process.env);
    const summary = await run(args, ending, process.env);
    await print(args.json ? `${JSON.stringify(summary)}\n` : renderSummary(summary));
    for (const problem of summary.problems) process.stderr.write(`error: ${problem}\n`);
    return signalExitCodes[summary.endedBy ?? ''] ?? (summary.problems.length > 0 ? 1 : 0);
  } catch (error) {
    // Commander has said what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error === ending.signal.reason) return signalExitCodes[String(error)] ?? 1;
    // The queue itself can be out of reach when its events are counted.
    if (!(error instanceof Failure || isNqError(error))) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return error instanceof Failure ? error.exitCode : 1;
  }
}

/** A reader that has seen enough, such as head, closes the pipe: that is no error. @throws {Failure} for other reasons. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      const isError = error && (error as NodeJS.ErrnoException).code !== 'EPIPE';
      if (isError) reject(new Failure(`Cannot write the report: ${reasonOf(error)}`, 1, error));
      else resolve();
    });
  });
}

// Without a listener an error of a stream ends the process with a stack; what matters is told by print().
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await main();
