import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import type { WorkerSummary } from './crew.ts';
import { Failure } from './failure.ts';
import { endDeadlineMs, type Work } from './handling.ts';
import type { FromWorker, Task, ToWorker } from './worker-messages.ts';

/** Beside this file, and as it: TypeScript from its sources, JavaScript from its build. */
const file = join(import.meta.dirname, `worker${extname(import.meta.filename)}`);

/** A worker process, as seen by the program that has started it. */
export class WorkerProcess {
  readonly number: number;
  readonly audit: string;
  /** Resolves once it handles events; rejects with a {@link Failure} if it ends instead. */
  readonly begun: Promise<void>;
  /** Resolves once it is gone, in whatever way. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #hasBegun = false;
  #work: Work | undefined;
  #failure: Failure | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(number: number, task: Task, say: (text: string) => void) {
    this.number = number;
    this.audit = task.audit;
    // It has nothing to read, and nothing to print but warnings.
    const child = fork(file, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child = child;
    this.ended = new Promise((resolve) => {
      // Its last messages have come by then, other than at 'exit'.
      child.once('close', () => {
        clearTimeout(this.#deadline);
        resolve();
      });
      child.on('error', (error) => {
        this.#failure ??= new Failure(`${this.name} failed: ${error.message}`, 1, error);
        // One that was started tells its end by itself.
        if (child.pid === undefined) resolve();
      });
    });
    this.begun = new Promise((resolve, reject) => {
      child.on('message', (message: FromWorker) => {
        if (message.what === 'begun') this.#begin(resolve);
        else if (message.what === 'say') say(`${this.name}: ${message.text}`);
        else if (message.what === 'report') this.#work = message.work;
        else if (message.what === 'fail') this.#failure ??= new Failure(`${this.name} failed: ${message.message}`);
      });
      void this.ended.then(() => reject(this.#failure ?? new Failure(`${this.name} ${this.end}`)));
    });
    // Whoever does not wait for it learns of its end.
    this.begun.catch(() => {});
    this.#tell({ what: 'begin', task });
  }

  get name(): string {
    return `worker ${this.number}`;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Why it could not go on. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** What it has done; `undefined` if it could not say so any more. */
  get work(): Work | undefined {
    return this.#work;
  }

  /** How it ended, as it follows its name. */
  get end(): string {
    const { exitCode, signalCode } = this.#child;
    if (signalCode !== null) return `was killed by ${signalCode}`;
    if (this.#failure !== undefined) return 'failed';
    return this.#work === undefined ? `ended with exit code ${exitCode}` : 'ended';
  }

  /** Tells it to end; kills it if it does not within some seconds. */
  stop(): void {
    this.#tell({ what: 'end' });
    this.#deadline ??= setTimeout(() => this.#child.kill('SIGKILL'), endDeadlineMs);
  }

  summary(lines: number): WorkerSummary {
    return {
      number: this.number,
      pid: this.pid,
      handled: lines,
      timeInQueueMs: this.#work?.timeInQueueMs,
      killedBy: this.#child.signalCode ?? undefined,
      end: this.end,
      audit: { path: this.audit, lines },
    };
  }

  #begin(resolve: () => void): void {
    this.#hasBegun = true;
    resolve();
  }

  #tell(message: ToWorker): void {
    // One that is gone cannot be told anything; that it is gone is told elsewhere.
    this.#child.send(message, () => {});
  }
}
