import { checkPeer } from '../check-opened.ts';
import type { Peer } from '../harness.ts';
import { PeerQueue, type PeerWatcher } from './peer-queue.ts';

/** The other processes of a trial. None outlives it. */
export class Peers {
  readonly #watcher: PeerWatcher;
  readonly #queues: PeerQueue[] = [];
  #isOver = false;

  constructor(watcher: PeerWatcher) {
    this.#watcher = watcher;
  }

  /** Starts a process by `fork`, the hook of the harness. */
  async start(fork: () => Peer | Promise<Peer>): Promise<PeerQueue> {
    const { timing } = this.#watcher;
    const starting = (async () => {
      const peer = await fork();
      try {
        checkPeer(peer);
      } catch (error) {
        // Nobody else would end it.
        kill(peer);
        throw error;
      }
      // It came too late, and the others have ended.
      if (this.#isOver) kill(peer);
      return peer;
    })();
    const peer = await this.#watcher.within(starting, 'fork() of the namespace', timing.closeMs);
    const queue = new PeerQueue(peer, `process${this.#queues.length + 1}`, this.#watcher);
    this.#queues.push(queue);
    return queue;
  }

  /** Closes the queues, and ends the processes. @throws {Violation} if one does not end by itself; it is killed then. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#queues.map((queue) => queue.end()));
  }
}

/** Ends whatever it is, if it lets itself be ended. */
function kill(peer: unknown): void {
  const { kill: end } = (peer ?? {}) as Partial<Peer>;
  if (typeof end === 'function') end.call(peer, 'SIGKILL');
}
