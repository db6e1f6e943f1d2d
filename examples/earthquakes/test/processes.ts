import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type TestRedis, until } from 'nq-testbed';
import type { EventRecord } from '../src/record.ts';
import { ended, makeFolder, type Run, type RunOptions, startProgram } from './run-program.ts';

/** The lines of the shipped week. */
export const week = readFileSync(new URL('../data/usgs-week.ndjson', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
/** What is dispatched before something happens half-way, and the rest. */
export const [firstHalf, secondHalf] = [week.slice(0, 853), week.slice(853)].map((lines) =>
  lines.map((line) => `${line}\n`).join(''),
) as [string, string];

/** The reports that no handler can do anything with. */
export const flawed: ReadonlySet<string> = new Set(
  week.flatMap((line) => {
    const { id, properties } = JSON.parse(line);
    return properties.rms === null ? [id] : [];
  }),
);

/** What is in hand of the queue under `queueKey`, as the server has it. */
export async function idsHeld(server: TestRedis, queueKey: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const key of (await server.command('KEYS', `{${queueKey}}:nq:held:*`)) as string[]) {
    if (key.endsWith(':settled')) continue;
    const settled = (await server.command('SMEMBERS', `${key}:settled`)) as string[];
    for (const [place, element] of ((await server.command('LRANGE', key, 0, -1)) as string[]).entries()) {
      const [, id] = /"id":"([^"]+)"/.exec(element) ?? [];
      if (id === undefined) throw new Error(`an element without an id: ${element}`);
      if (!settled.includes(String(place))) ids.push(id);
    }
  }
  return ids;
}

/** The program with worker processes, while it runs. */
export class ProcessesRun {
  readonly child: ReturnType<typeof startProgram>;
  readonly ended: Promise<Run>;
  readonly #audit = join(makeFolder(), 'audit.ndjson');
  #stderr = '';

  /** Reads its standard input. What is left of its workers when the test is over is killed, as it is itself. */
  constructor(args: readonly string[], options: RunOptions = {}) {
    this.child = startProgram(['--input', '-', '--audit', this.#audit, ...args], options);
    // It may end before it has read everything.
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', (text: Buffer) => (this.#stderr += text.toString()));
    this.ended = ended(this.child);
    onTestFinished(() => {
      for (const pid of this.#pids.values()) if (isAlive(pid)) kill(pid);
    });
  }

  /** The pids of the workers, once `count` of them have begun. */
  pids(count: number): Promise<readonly number[]> {
    return until(`${count} workers`, () => this.#pids.size >= count && [...this.#pids.values()]);
  }

  /** Whether `text` was on its stderr. */
  hasSaid(text: string): boolean {
    return this.#stderr.includes(text);
  }

  /** What is in the audit log of worker `number`. */
  records(number: number): readonly EventRecord[] {
    const path = this.#audit.replace('.ndjson', `-${number}.ndjson`);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    // A line that has no end yet is being written.
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as EventRecord);
  }

  /** The number of a worker that has handled `count` events or more; `undefined` as long as there is none. */
  busy(count: number): number | undefined {
    return [...this.#pids.keys()].find((number) => this.records(number).length >= count);
  }

  get #pids(): ReadonlyMap<number, number> {
    return new Map(
      [...this.#stderr.matchAll(/^worker (\d+) is process (\d+)$/gm)].map(([, number, pid]) => [
        Number(number),
        Number(pid),
      ]),
    );
  }
}

/** Kills `pid` as `kill -9` does. */
export function kill(pid: number | undefined): void {
  process.kill(pid as number, 'SIGKILL');
}

/** Whether a process is there, and is more than an entry that nobody has asked for. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    // Not every system has /proc.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && existsSync('/proc/self') === false;
  }
}
