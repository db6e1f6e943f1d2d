// The program of the guardian: see guardian.ts. It imports nothing but Node, so that it starts fast and from anywhere.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the guardian can be asked for. */
export type Order =
  | { readonly do: 'make-folder' }
  | { readonly do: 'remove-folder'; readonly folder: string }
  | {
      readonly do: 'spawn';
      readonly command: string;
      readonly args: readonly string[];
      readonly folder: string;
      /** Where standard output and standard error go, appended. */
      readonly log: string;
    }
  | { readonly do: 'signal'; readonly pid: number; readonly signal: NodeJS.Signals }
  | { readonly do: 'watch-container'; readonly name: string; readonly docker: DockerAddress }
  | { readonly do: 'forget-container'; readonly name: string };

/** Where the Docker engine listens: as `node:http` takes it. */
export type DockerAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** What comes back: an answer to an order, or the news that a process has ended. */
export type News =
  | { readonly id: number; readonly value?: string | number | boolean | undefined; readonly error?: string | undefined }
  | { readonly exited: number; readonly how: string };

const processes = new Map<number, ChildProcess>();
const folders = new Set<string>();
const containers = new Map<string, DockerAddress>();
let ending = false;

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  if (ending) return;
  obey(order).then(
    (value) => tell({ id, value }),
    (error: unknown) => tell({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});
// The owner has ended, whichever way: the other end of the channel closes even when it is killed.
process.on('disconnect', () => void end());
process.on('SIGTERM', () => void end());
// Those that a terminal sends are for the tests; when these end of it, the channel closes.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

async function obey(order: Order): Promise<string | number | boolean | undefined> {
  switch (order.do) {
    case 'make-folder': {
      const folder = mkdtempSync(join(tmpdir(), 'nq-testbed-'));
      folders.add(folder);
      return folder;
    }
    case 'remove-folder':
      rmSync(order.folder, { recursive: true, force: true });
      folders.delete(order.folder);
      return undefined;
    case 'spawn':
      return run(order.command, order.args, order.folder, order.log);
    case 'signal':
      // Only a child that has not been reaped: its pid cannot have become another process's.
      return processes.get(order.pid)?.kill(order.signal) ?? false;
    case 'watch-container':
      containers.set(order.name, order.docker);
      return undefined;
    case 'forget-container':
      containers.delete(order.name);
      return undefined;
  }
}

function run(command: string, args: readonly string[], cwd: string, log: string): Promise<number> {
  const output = openSync(log, 'a');
  const child = spawn(command, args, { cwd, stdio: ['ignore', output, output] });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      const pid = child.pid as number;
      processes.set(pid, child);
      child.once('exit', (code, signal) => {
        processes.delete(pid);
        tell({ exited: pid, how: signal ?? `exit code ${code}` });
      });
      resolve(pid);
    });
  });
}

function tell(news: News): void {
  // The owner may end at any moment; then there is nobody to tell.
  if (process.connected) process.send?.(news, () => {});
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  const ended = [...processes.values()].map((child) => {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    return exited;
  });
  await Promise.all([...ended, ...[...containers].map(([name, docker]) => removeContainer(name, docker))]);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

function removeContainer(name: string, docker: DockerAddress): Promise<void> {
  return new Promise((resolve) => {
    const path = `/containers/${encodeURIComponent(name)}?force=true&v=true`;
    const call = request({ ...docker, method: 'DELETE', path, timeout: 20_000 }, (answer) => {
      answer.resume().once('end', resolve);
    });
    // What it could not remove, the next run does: see docker-engine.ts.
    call.once('error', () => resolve());
    call.once('timeout', () => call.destroy());
    call.end();
  });
}
