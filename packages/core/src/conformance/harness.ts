import type { Clock } from '../clock.ts';
import type { MessageQueue } from '../queue.ts';

/**
 * What the author of a queue gives to the kit: how to open the queue, and what else can be done with it from outside. Only
 * `name` and `namespace` are needed; a rule that needs a hook which is not there is reported NOT-VERIFIED.
 */
export interface ConformanceHarness<Data = unknown> {
  /** The queue, as reports call it: usually the name of its package. */
  readonly name: string;
  /**
   * Makes a place for a queue: empty, and shared with no other. Called at least once for each rule, and several times for one
   * that needs more places; some exist at the same time.
   *
   * An `id` is at most 60 characters of `a` to `z`, `0` to `9` and `-`, and begins with a letter: as it is, it may be the name
   * of a file, a topic, or a part of a key. No other run has it, on whatever machine. The same run may come back to one after
   * its place was disposed of, and must find it empty.
   */
  namespace(id: string): Namespace<Data> | Promise<Namespace<Data>>;
  /** What events carry. @default numbers in objects and strings, such as JSON can carry */
  readonly payload?: PayloadFactory<Data> | undefined;
  readonly timing?: Partial<Timing> | undefined;
  /** Rules that are known to be broken. One that is kept after all fails the run, so that no waiver outlives its bug. */
  readonly waivers?: readonly Waiver[] | undefined;
  /** The clock that the queue runs on. @default systemClock */
  readonly clock?: Clock | undefined;
  /** For a clock that stands still by itself: moves time on until `work` has settled. `run` of a virtual clock does it. */
  readonly drive?: (<Result>(work: Promise<Result>) => Promise<Result>) | undefined;
  /** Called once before the first rule, for example to start a broker. What takes longer than `timing.startMs` has failed. */
  start?(): void | Promise<void>;
  /** Called once after the last rule, also when `start` or a rule failed. What takes longer than `timing.startMs` has failed. */
  stop?(): void | Promise<void>;
}

/** A place of a rule: a queue that nobody else sees, under whatever name the backend has for it. */
export interface Namespace<Data = unknown> {
  /**
   * Opens the queue. Each call makes another connection to the same queue, as another process would; the options are the
   * same each time, but for `group`. A queue that cannot be shared is opened once.
   */
  open(options: OpenOptions): MessageQueue<Data> | Promise<MessageQueue<Data>>;
  readonly faults?: Faults | undefined;
  /** Ends `queue` as a killed process would: nothing is given back, nothing is closed. */
  crash?(queue: MessageQueue<Data>): void | Promise<void>;
  /**
   * Starts another process, which opens the same queue and serves it: its program calls `serveQueue()`. Usually `fork()` of
   * `node:child_process`, with what names the place as an argument. It has three times `timing.closeMs` to start and to open
   * the queue, and `Date` may be set to another time there before. The kit ends it, by SIGKILL if it does not end by itself; no process is left
   * when the namespace is disposed of.
   */
  fork?(): Peer | Promise<Peer>;
  /** Counts what the backend holds, without the help of the queue. */
  inspect?(): Inspection | Promise<Inspection>;
  /** Puts a record into the backend that is no event, as a foreign producer might. */
  injectRaw?(record: Uint8Array): void | Promise<void>;
  /** Removes whatever the namespace has left in the backend. Every queue that was opened is closed before. */
  dispose(): void | Promise<void>;
}

/** How a rule wants its queue. What the backend cannot vary may be ignored: rules read what came of it. */
export interface OpenOptions {
  /** How many ready and delayed events fit. */
  readonly capacity?: number;
  /** How long a delivery is ours, in milliseconds. */
  readonly leaseMs?: number;
  /** The consumer group, for a queue that declares `groups`. */
  readonly group?: string;
}

/** What can be done to the connections of a namespace. */
export interface Faults {
  /** Cuts every connection: requests and answers under way are lost. */
  cut(): void | Promise<void>;
  /** Cuts every connection after the backend has acted on the next request, and before its answer arrives. */
  cutBeforeAnswer(): void | Promise<void>;
  /** Lets connections be made again. */
  heal(): void | Promise<void>;
  /** Delays every request, and every answer, by `ms` milliseconds. */
  delay(ms: number): void | Promise<void>;
  /** Restarts the broker. Resolves once it answers again. */
  restart?(): void | Promise<void>;
}

/** Another process, and the way to it: what a `ChildProcess` of Node.js with an IPC channel is. */
export interface Peer {
  /** @param callback is told whether it could be sent. */
  send(message: object, callback: (error: Error | null) => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number | null, signal: string | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  kill(signal: 'SIGKILL'): unknown;
}

/** What the backend holds. */
export interface Inspection {
  readonly ready: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly deadLetters: number;
}

/** What events carry during the rules. */
export interface PayloadFactory<Data> {
  /** The data of event number `index`, from 0: different for different numbers. */
  make(index: number): Data;
  /** Whether two data are the same. @default deep equality */
  equal?(a: Data, b: Data): boolean;
}

/**
 * How long rules wait. Waiting for something that must come costs nothing when it comes; watching that nothing comes
 * always costs its whole time: these are two numbers, and mixing them up makes suites slow, or flaky.
 */
export interface Timing {
  /** How long something that must happen may take, in milliseconds. @default 5000 */
  readonly patienceMs: number;
  /**
   * How long is watched that something does not happen, in milliseconds: longer than a request to the backend and its
   * answer take. @default 60
   */
  readonly quietMs: number;
  /**
   * How long `close()` may take, also while the backend is out of reach, in milliseconds; and so may opening a queue,
   * `namespace()`, `dispose()` and `fork()`. A process that was forked has three times as long to open its queue, for it has
   * to start before, beside others. @default 10_000
   */
  readonly closeMs: number;
  /** How long after its lease the event of a crashed consumer may be away, in milliseconds. @default 5000 */
  readonly reclaimMs: number;
  /** The longest lease that rules wait for, in milliseconds. @default 2000 */
  readonly longestLeaseMs: number;
  /**
   * How long `start()` and `stop()` of the harness may take, in milliseconds, by the clock of this machine. Containers are
   * fetched there. @default 120_000
   */
  readonly startMs: number;
  /** What all of the above are multiplied with: above 1 for a slow machine. @default 1 */
  readonly scale: number;
}

/** A rule that is known to be broken. */
export interface Waiver {
  /** The id of the rule, such as `3.10`. */
  readonly rule: string;
  /** Where it is being worked on: an address. */
  readonly issue: string;
  readonly reason: string;
}

/**
 * How much longer than on a fast queue a lease has to be, and a rule may take: a call takes less than `quietMs`, of which the
 * default, 60, is for calls that take next to nothing.
 */
export function slownessOf({ quietMs, scale }: Timing): number {
  return Math.max(scale, quietMs / 100);
}

/** The numbers of `timing` with every default filled in, multiplied with their scale. */
export function resolveTiming(timing: Partial<Timing> = {}): Timing {
  const { patienceMs = 5000, quietMs = 60, closeMs = 10_000, reclaimMs = 5000, longestLeaseMs = 2000 } = timing;
  const { startMs = 120_000, scale = 1 } = timing;
  return {
    patienceMs: patienceMs * scale,
    quietMs: quietMs * scale,
    closeMs: closeMs * scale,
    reclaimMs: reclaimMs * scale,
    longestLeaseMs: longestLeaseMs * scale,
    startMs: startMs * scale,
    scale,
  };
}
