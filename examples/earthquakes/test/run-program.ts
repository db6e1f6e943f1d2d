import { type ChildProcessWithoutNullStreams, spawn, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Summary } from '../src/summary.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** How the program is run. */
export interface RunOptions {
  /** What standard input holds, where it is a pipe. */
  readonly input?: string | Uint8Array;
  /** What standard input is: a pipe, nothing, or the open file with this descriptor. @default 'pipe' */
  readonly stdin?: 'pipe' | 'ignore' | number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** What a run came to. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the program from its sources. If it still runs when the test is over, it is killed. */
export function startProgram(
  args: readonly string[],
  { cwd, env = {}, stdin = 'pipe' }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  // npm sets INIT_CWD for the tests too.
  const { INIT_CWD: _, ...inherited } = process.env;
  const options: SpawnOptions = { cwd, env: { ...inherited, ...env }, stdio: [stdin, 'pipe', 'pipe'] };
  const child = spawn(process.execPath, ['--conditions=@nq/source', main, ...args], options);
  onTestFinished(() => void child.kill('SIGKILL'));
  // Whoever asks for another stdin does not write to it.
  return child as ChildProcessWithoutNullStreams;
}

/** Runs the program to its end. */
export function runProgram(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const child = startProgram(args, options);
  if ((options.stdin ?? 'pipe') === 'pipe') child.stdin.end(options.input ?? '');
  return ended(child);
}

/** Resolves with what `child` came to. */
export function ended(child: ReturnType<typeof startProgram>): Promise<Run> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs the program with `--json`, and reads its report. */
export async function runForSummary(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Run & { readonly summary: Summary }> {
  const audit = args.includes('--audit') ? [] : ['--audit', join(makeFolder(), 'audit.ndjson')];
  const run = await runProgram(['--json', ...audit, ...args], options);
  if (run.stdout === '') throw new Error(`The program printed no report, but said: ${run.stderr}`);
  return { ...run, summary: JSON.parse(run.stdout) as Summary };
}

/** A folder that is removed when the test is over. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nq-earthquakes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A file with `content`, removed when the test is over. */
export function makeFile(content: string | Uint8Array): string {
  const file = join(makeFolder(), 'input.ndjson');
  writeFileSync(file, content);
  return file;
}

/** A line with a report, as the US Geological Survey writes them. */
export function reportLine(id: string, properties: Readonly<Record<string, unknown>> = {}): string {
  const all = {
    mag: 2,
    rms: 0.2,
    net: 'xx',
    type: 'earthquake',
    time: 1_517_966_773_840,
    place: 'here',
    ...properties,
  };
  return `${JSON.stringify({ type: 'Feature', properties: all, geometry: null, id })}\n`;
}
