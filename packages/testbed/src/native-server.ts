import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runFirst } from './find-program.ts';
import { type Exit, type Guardian, guardian } from './guardian.ts';
import type { Server } from './server.ts';
import { until } from './until.ts';

/** How a server is started as a process of this machine. */
export interface NativeServerOptions {
  readonly port: number;
  /** Files that it finds in its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** The program and its arguments, which may name the folder. */
  command(folder: string): readonly [command: string, ...args: string[]];
}

/** How long a server may take to end when asked to, in milliseconds: a Kafka broker hands over its partitions first. */
const endMs = 30_000;

/** A server as a process on the loopback interface, in a folder of its own, watched by the guardian. */
export class NativeServer implements Server {
  readonly host = '127.0.0.1';
  readonly port: number;
  /** Where its files are; gone after `remove()`. */
  readonly folder: string;
  readonly #guardian: Guardian;
  readonly #command: readonly [command: string, ...args: string[]];
  #run: { readonly pid: number; readonly exited: Promise<Exit> } | undefined;

  private constructor(watch: Guardian, folder: string, options: NativeServerOptions) {
    this.#guardian = watch;
    this.folder = folder;
    this.port = options.port;
    this.#command = options.command(folder);
  }

  /** Makes the folder and starts the server. @throws {Error} if there is no such program. */
  static async start(options: NativeServerOptions): Promise<NativeServer> {
    const watch = await guardian();
    const folder = await watch.makeFolder();
    for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(folder, name), text);
    const server = new NativeServer(watch, folder, options);
    await server.start();
    return server;
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  isRunning(): boolean {
    return this.#run !== undefined;
  }

  async start(): Promise<void> {
    if (this.#run !== undefined) return;
    const [command, ...args] = this.#command;
    const run = await this.#guardian.spawn(command, args, {
      folder: this.folder,
      log: join(this.folder, 'server.log'),
    });
    this.#run = run;
    run.exited.finally(() => {
      if (this.#run === run) this.#run = undefined;
    });
  }

  async end(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    // One that is frozen would notice only later.
    await this.#signal('SIGCONT');
    await this.#signal('SIGTERM');
    const late = setTimeout(() => void this.#signal('SIGKILL'), endMs);
    await this.#guardian.awaitIt(run.exited);
    clearTimeout(late);
  }

  async kill(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    await this.#signal('SIGKILL');
    await this.#guardian.awaitIt(run.exited);
  }

  async freeze(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) throw new Error('Cannot freeze a server that is not running');
    await this.#signal('SIGSTOP');
    // A signal is sent before it has arrived; where the system tells, wait until the process stands still.
    if (existsSync('/proc/self/stat')) await until('a process to stop', () => stateOf(pid) === 'T');
  }

  async thaw(): Promise<void> {
    await this.#signal('SIGCONT');
  }

  run(programs: readonly string[], args: readonly string[]): Promise<string | undefined> {
    return runFirst(programs, args);
  }

  hostOfMachine(): string {
    return this.host;
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.#guardian.removeFolder(this.folder);
  }

  async log(): Promise<string> {
    const text = await readFile(join(this.folder, 'server.log'), 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-20).join('\n');
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#run !== undefined) await this.#guardian.ask({ do: 'signal', pid: this.#run.pid, signal });
  }
}

/** The state letter of a process in Linux's /proc, which follows the name in parentheses. */
function stateOf(pid: number): string | undefined {
  return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
}
