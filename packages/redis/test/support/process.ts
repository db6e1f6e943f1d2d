import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** What a program begins with. It is told something by the end of its input, which keeps no process alive. */
const atHand = `
import { once } from 'node:events';
import { redisQueue } from '@nq/redis';
const told = () => once(process.stdin.resume(), 'end');
`;

/** A program in a process of its own, which is killed at the end of its block. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** Everything that it has printed. */
  output = '';
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;

  /** @param text what it does, with `redisQueue` at hand, and `told()`, which resolves once {@link tell} was called. */
  constructor(text: string) {
    const args = ['--conditions=@nq/source', '--input-type=module', '--eval', atHand + text];
    this.#child = spawn(process.execPath, args, { cwd: folder, stdio: 'pipe' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve(code ?? signal));
    });
  }

  /** Has it go on behind its `await told()`; once. */
  tell(): void {
    this.#child.stdin?.end();
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
