import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { QueueConfig } from '@nq/core';
import { Command, InvalidArgumentError } from 'commander';
import { alertMagnitude } from './events.ts';
import { Failure } from './failure.ts';
import { longestLineBytes } from './lines.ts';
import { retry } from './retry.ts';

/** What the program was asked to do. */
export interface Arguments {
  /** An absolute path, or `-` for standard input. */
  readonly input: string;
  /** The URL of a queue, or its configuration. */
  readonly queue: string | QueueConfig;
  /** How many events are handled at once, in each process. */
  readonly workers: number;
  /** How many processes handle the events; `undefined` if this one does. */
  readonly processes: number | undefined;
  /** The member of plain JSON events that is their key; `undefined` for the default of nq. */
  readonly key: string | undefined;
  /** An absolute path. */
  readonly audit: string;
  readonly json: boolean;
}

/** One week of reports, which comes with the program. */
const shippedInput = fileURLToPath(new URL('../data/usgs-week.ndjson', import.meta.url));

const help = `
Input: one JSON object a line, each of them
  a GeoJSON feature   as the US Geological Survey gives them: properties.type, properties.net, id
                      and properties.time become type, key, id and time of the event
  a CloudEvent        structured JSON with "specversion": "1.0"; its extension partitionkey becomes
                      the key of the event
  any other object    that has a "type"; its member "key", or the one that --key names, becomes
                      the key of the event
Empty lines are skipped. A line that is none of these, is not UTF-8 or is longer than
${longestLineBytes} bytes is broken: its number and the reason go to stderr, the rest goes on.

Handlers of reports, in this order:
  gradeSolution       needs a magnitude and a residual (rms), and fails without
  writeReport         writes one line of the audit log
  raiseAlert          counts magnitudes >= ${alertMagnitude}
  countReport         keeps the statistics by type and by key
Other events have writeEvent and countEvent, which do the same. Reports are the GeoJSON features, and
all events of the types earthquake, explosion and quarry blast.

Retry, with short delays so that a run shows it:
  in place            ${retry.inPlace} more run per hand-out, after at most ${retry.inPlaceDelayMs} ms
  redelivery          ${retry.maxAttempts} hand-outs in all, again after at most ${retry.delayMs} and ${retry.delayMs * 2} ms
  dead letter         after the last of them. A channel keeps 1000, in memory and no longer than the
                      run, which ends when there is no room for one more:
                      --queue 'channel://?deadLetterCapacity=100000'

Several processes (--processes) need a queue that they can share, such as one on Redis. This process
only dispatches then, and says which process is which worker. One that is killed is not replaced: the
others get what it had in hand when its leases have ended, after 30 s, or after 2 s with &leaseMs=2000.
What it had handled, and not acknowledged, is handled again: such duplicates are counted apart. With
--audit audit.ndjson, worker 1 writes audit-1.ndjson.

Output: the report goes to stdout, progress and warnings go to stderr.

Exit codes:
  0         every event was handled or is a dead letter
  1         something could not be read, written or accounted for; stderr says what
  2         the program was called in a wrong way
  130, 143  ended by Ctrl-C (SIGINT) or SIGTERM, after the events in hand were finished; a second one
            ends it at once

Examples:
  npm start
  npm start -- --input my.ndjson --queue 'channel://?capacity=100' --workers 8
  my-producer | npm start -- --input - --key accountId
  npm start -- --processes 3 --queue 'redis://localhost:6379?queueKey=quakes&leaseMs=2000'
`;

/**
 * Reads the command line. Relative paths start where the person is, which npm remembers in INIT_CWD.
 *
 * @throws {CommanderError} for `--help`, with exit code 0, and for a wrong call; it has been told to the person by then.
 */
export function readArguments(argv: readonly string[], env: NodeJS.ProcessEnv): Arguments {
  const program = new Command('npm start --')
    .description('Dispatches one week of earthquake reports, or your own events, to handlers through a queue.')
    .option('--input <file>', 'newline-delimited JSON; - is standard input (default: the reports of one week)')
    .option('--queue <queue>', 'the queue: a URL, or JSON with type, bufferSize and extra', 'channel://?capacity=1000')
    .option('--workers <n>', 'how many events are handled at once', readCount, 4)
    .option(
      '--processes <n>',
      'handle the events in so many processes, each with its workers and its audit log (default: in this one)',
      readCount,
    )
    .option('--key <member>', 'the member of plain JSON events that is their key (default: "key")')
    .option('--audit <file>', 'the audit log, written anew (default: a new file in the folder for temporary files)')
    .option('--json', 'print the report as one JSON object', false)
    .helpOption('-h, --help', 'print this')
    .addHelpText('after', help)
    .showHelpAfterError('(--help tells all options)')
    .exitOverride()
    .parse(argv, { from: 'user' });
  const { input, queue, audit, key, processes, ...rest } = program.opts<{
    input?: string;
    queue: string;
    workers: number;
    processes?: number;
    key?: string;
    audit?: string;
    json: boolean;
  }>();
  const from = env['INIT_CWD'] ?? process.cwd();
  return {
    ...rest,
    key,
    processes,
    queue: readQueue(queue),
    input: input === undefined ? shippedInput : input === '-' ? '-' : resolve(from, input),
    audit: audit === undefined ? join(tmpdir(), `earthquakes-audit-${process.pid}.ndjson`) : resolve(from, audit),
  };
}

function readQueue(text: string): string | QueueConfig {
  if (!text.trimStart().startsWith('{')) return text;
  try {
    return JSON.parse(text) as QueueConfig;
  } catch {
    // Neither the text nor what the parser says of it is repeated: both may hold a password.
    throw new Failure('Cannot read --queue: it begins as JSON and is none; a shell needs single quotes around it', 2);
  }
}

function readCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError('It must be a whole number >= 1.');
  }
  return count;
}
