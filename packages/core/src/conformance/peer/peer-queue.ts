import { describe } from '../../check.ts';
import { encodeEvent } from '../../cloudevents.ts';
import type { QueueEvent } from '../../event.ts';
import type { OpenOptions, Peer, Timing } from '../harness.ts';
import type { Journal } from '../journal.ts';
import { NotVerified, Violation } from '../violation.ts';
import { areIds, areTaken, isCount, isPeerAnswer, type PeerCall, type PeerRequest } from './peer-messages.ts';
import type { Taken, Taking, Worker } from './worker.ts';

/** Who watches over the processes of a trial. */
export interface PeerWatcher {
  readonly journal: Journal;
  readonly timing: Timing;
  /** `promise`, or a {@link Violation} that names `what` if it takes longer than `ms`. */
  within<Result>(promise: Promise<Result>, what: string, ms: number): Promise<Result>;
}

/** A call that has not been answered. */
interface OpenCall {
  readonly what: string;
  readonly resolve: (value: unknown) => void;
  readonly fail: (observed: string) => void;
}

/** In how many `closeMs` a process has to start and to open its queue. */
const closesToStart = 3;

/** The queue in another process. Every call is written down, and is a {@link Violation} if it fails or takes too long. */
export class PeerQueue implements Worker {
  readonly #peer: Peer;
  readonly #name: string;
  readonly #watcher: PeerWatcher;
  readonly #calls = new Map<number, OpenCall>();
  readonly #ended: Promise<void>;
  #isOver = false;
  #count = 0;
  /** What came and is no answer, in words. */
  #strange: string | undefined;

  /** @param name tells the processes of a trial apart: `process1`, `process2`. */
  constructor(peer: Peer, name: string, watcher: PeerWatcher) {
    this.#peer = peer;
    this.#name = name;
    this.#watcher = watcher;
    peer.on('message', (message) => this.#receive(message));
    this.#ended = new Promise((resolve) => {
      const over = (what: string, how: string): void => {
        this.#isOver = true;
        for (const { fail } of this.#calls.values()) {
          fail(`${name} ${what} before it had answered${how}`);
        }
        this.#calls.clear();
        resolve();
      };
      peer.on('exit', (code, signal) => over('ended', signal === null ? `, with exit code ${code}` : `, by ${signal}`));
      peer.on('error', (error) => over('failed', `: ${error.message}`));
    });
  }

  /** Opens the queue there. @param clockAheadMs how far the clock of the process is ahead of ours, in milliseconds. */
  async open(options: OpenOptions, clockAheadMs: number): Promise<void> {
    const limitMs = closesToStart * this.#watcher.timing.closeMs;
    const clock = `its clock ${Math.abs(clockAheadMs)} ms ${clockAheadMs > 0 ? 'ahead' : 'behind'}`;
    const what = `open(${clockAheadMs === 0 ? '' : clock})`;
    try {
      await this.#call(what, { verb: 'open', options, clockAheadMs }, isAnything, () => 'done', limitMs);
    } catch (error) {
      if (!(error instanceof Violation) || this.#calls.size === 0) throw error;
      const instead = this.#strange === undefined ? '' : ` It has sent ${this.#strange}, which is no answer.`;
      throw new Violation(`${error.message}; does its program call serveQueue()?${instead}`);
    }
  }

  push(events: readonly QueueEvent[], timeoutMs: number): Promise<readonly string[]> {
    const call: PeerCall = { verb: 'push', events: events.map((event) => written(event)), timeoutMs };
    const limitMs = events.length * (timeoutMs + this.#watcher.timing.patienceMs);
    const show = (stored: readonly string[]): string => `${this.#show(stored.map((id) => ({ id })))} stored`;
    return this.#call(`push(${this.#show(events)}, ${timeoutMs} ms)`, call, areIds, show, limitMs);
  }

  take(taking: Taking): Promise<readonly Taken[]> {
    const { count, timeoutMs, after } = taking;
    const limitMs = (count + 1) * (timeoutMs + this.#watcher.timing.patienceMs);
    const what = `take(${count}, ${timeoutMs} ms, ${typeof after === 'string' ? after : JSON.stringify(after)})`;
    return this.#call(what, { verb: 'take', taking }, areTaken, (taken) => this.#show(taken), limitMs);
  }

  replay(ids?: readonly string[]): Promise<number> {
    const what = `replay(${ids === undefined ? '' : this.#show(ids.map((id) => ({ id })))})`;
    return this.#call(what, { verb: 'replay', ids }, isCount, String, this.#watcher.timing.patienceMs);
  }

  /** Ends the process as `kill -9` does. */
  async kill(): Promise<void> {
    if (!this.#isOver) this.#peer.kill('SIGKILL');
    await this.#watcher.within(this.#ended, `the end of ${this.#name} by SIGKILL`, this.#watcher.timing.closeMs);
  }

  /** Closes the queue, and waits until the process has ended by itself. @throws {Violation} if it does not; it is killed then. */
  async end(): Promise<void> {
    if (this.#isOver) return;
    const { closeMs } = this.#watcher.timing;
    try {
      // Whoever has not answered by now is asked for nothing more.
      if (this.#calls.size > 0) return;
      await this.#call('close()', { verb: 'close' }, isAnything, () => 'done', closeMs);
      await this.#watcher.within(this.#ended, '', closeMs).catch(() => {
        throw new Violation(
          `${this.#name} did not end by itself within ${closeMs} ms after its close(): something keeps it alive`,
        );
      });
    } finally {
      await this.kill();
    }
  }

  async #call<Value>(
    verb: string,
    call: PeerCall,
    fits: (answer: unknown) => answer is Value,
    show: (value: Value) => string,
    limitMs: number,
  ): Promise<Value> {
    const what = `${this.#name}.${verb}`;
    const end = this.#watcher.journal.begin(what);
    try {
      const value = await this.#watcher.within(this.#send(what, call), what, limitMs);
      if (!fits(value)) {
        throw new Violation(
          `${what} was answered ${describe(value)}; does the program of fork() leave answering to serveQueue()?`,
        );
      }
      end(show(value));
      return value;
    } catch (error) {
      end((error as Error).message);
      throw error;
    }
  }

  #send(what: string, call: PeerCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const number = this.#count++;
      const fail = (message: string): void => reject(new Violation(message));
      if (this.#isOver) {
        fail(`${what}: the process has ended`);
        return;
      }
      this.#calls.set(number, { what, resolve, fail });
      const request: PeerRequest = { nq: 'request', number, call };
      this.#peer.send(request, (error) => {
        if (error !== null) fail(`${what} could not be sent: ${error.message}`);
      });
    });
  }

  #receive(message: unknown): void {
    if (!isPeerAnswer(message)) {
      this.#strange ??= describe(message);
      return;
    }
    const { number, value, error } = message;
    const call = this.#calls.get(number);
    this.#calls.delete(number);
    if (error === undefined) call?.resolve(value);
    else call?.fail(`${call.what} failed: ${error}`);
  }

  #show(events: readonly { readonly id: string }[]): string {
    return events.length === 0 ? 'nothing' : events.map(({ id }) => this.#watcher.journal.nameOf(id)).join(' ');
  }
}

/** Nobody looks at what an opening or a close is answered with. */
function isAnything(_answer: unknown): _answer is unknown {
  return true;
}

function written(event: QueueEvent): string {
  try {
    return encodeEvent(event);
  } catch (error) {
    throw new NotVerified(`what the harness makes cannot be sent to another process: ${(error as Error).message}`);
  }
}
