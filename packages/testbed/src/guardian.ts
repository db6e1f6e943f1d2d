import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { News, Order } from './guardian-process.ts';

/** How a process that the guardian had started came to its end: a signal, or an exit code. */
export type Exit = string;

interface PendingExit {
  readonly promise: Promise<Exit>;
  resolve(how: Exit): void;
}

/**
 * A process that outlives this one by the moment it takes to clean up. It starts the servers and makes their folders, so
 * there is no instant at which one of them exists and nobody watches it; when the channel to it closes, because this
 * process has ended or was killed, it kills every server by its pid and removes folders and containers.
 */
export class Guardian {
  readonly #process: ChildProcess;
  readonly #answers = new Map<number, (news: Extract<News, { id: number }>) => void>();
  readonly #exits = new Map<number, PendingExit>();
  #lastId = 0;
  #waiting = 0;

  private constructor(child: ChildProcess) {
    this.#process = child;
    child.on('message', (news: News) => {
      if ('exited' in news) this.#exit(news.exited).resolve(news.how);
      else this.#answers.get(news.id)?.(news);
    });
    child.on('exit', () => {
      for (const [id, answer] of this.#answers) answer({ id, error: 'the guardian has ended' });
    });
    // A test run that is over must not be kept alive by it.
    child.unref();
    child.channel?.unref();
  }

  /** Starts one: rather than that, take the one of this process, with {@link guardian}. */
  static async start(): Promise<Guardian> {
    const program = fileURLToPath(new URL('guardian-process.ts', import.meta.url));
    // A session of its own: Ctrl-C in a terminal, or a signal to the group of the tests, does not reach it. It holds no
    // output of ours either: whoever reads that would wait for the guardian to end.
    const child = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    await once(child, 'spawn');
    return new Guardian(child);
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** @throws {Error} with what went wrong in the guardian. */
  ask(order: Order): Promise<string | number | boolean | undefined> {
    const id = ++this.#lastId;
    const answered = new Promise<string | number | boolean | undefined>((resolve, reject) => {
      this.#answers.set(id, ({ value, error }) => {
        this.#answers.delete(id);
        if (error === undefined) resolve(value);
        else reject(new Error(`Cannot ${order.do.replace('-', ' ')}: ${error}`));
      });
      this.#process.send({ id, order }, (error) => {
        if (error) this.#answers.get(id)?.({ id, error: error.message });
      });
    });
    return this.awaitIt(answered);
  }

  /**
   * Starts a program whose output goes to the file `log`. Resolves once it runs.
   *
   * @throws {Error} if it could not be started.
   */
  async spawn(
    command: string,
    args: readonly string[],
    { folder, log }: { readonly folder: string; readonly log: string },
  ): Promise<{ readonly pid: number; readonly exited: Promise<Exit> }> {
    const pid = (await this.ask({ do: 'spawn', command, args, folder, log })) as number;
    const { promise } = this.#exit(pid);
    promise.then(() => this.#exits.delete(pid));
    return { pid, exited: promise };
  }

  /** `promise`, and until it settles this process does not end for want of anything else to do. */
  async awaitIt<Value>(promise: Promise<Value>): Promise<Value> {
    if (++this.#waiting === 1) this.#process.channel?.ref();
    try {
      return await promise;
    } finally {
      if (--this.#waiting === 0) this.#process.channel?.unref();
    }
  }

  /** Makes a folder that nobody else has. */
  async makeFolder(): Promise<string> {
    return (await this.ask({ do: 'make-folder' })) as string;
  }

  async removeFolder(folder: string): Promise<void> {
    await this.ask({ do: 'remove-folder', folder });
  }

  /** The news that a process has ended may come before anybody has asked for it. */
  #exit(pid: number): PendingExit {
    let exit = this.#exits.get(pid);
    if (exit === undefined) {
      let resolve = (_how: Exit): void => {};
      exit = { promise: new Promise((done) => (resolve = done)), resolve: (how) => resolve(how) };
      this.#exits.set(pid, exit);
    }
    return exit;
  }
}

let current: Promise<Guardian> | undefined;

/** The guardian of this process, started when it is first needed. */
export function guardian(): Promise<Guardian> {
  current ??= Guardian.start();
  return current;
}
