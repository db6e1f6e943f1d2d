import type { Clock, Timer } from '@nq/core';
import { Changes } from './changes.ts';
import type { HeldPartition } from './held-partition.ts';
import type { Committed } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { encodeNote, longestNote } from './partition-note.ts';

/** After a failure it is tried again after so long, in milliseconds. */
const retryMs = 50;
/** The same after it was refused. */
const refusedMs = 1000;

/**
 * How long after a hand-out it is committed that there was one, in milliseconds: most are acknowledged sooner, and that
 * says more. What kills its process within this time is not counted.
 */
const markMs = 20;

/** What a committer needs. */
export interface CommitterParts {
  readonly clock: Clock;
  /** The partitions that are ours. */
  readonly partitions: () => Iterable<HeldPartition>;
  /** One request. */
  readonly commit: (offsets: readonly Committed[]) => Promise<void>;
}

/**
 * Commits what is done: one request at a time, with everything that was done meanwhile, so that many acknowledgements cost
 * few of them. Committed is the watermark of each partition, and with it a note of what is behind that.
 */
export class Committer {
  readonly #parts: CommitterParts;
  #isRunning = false;
  /** The last request: they are made one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Why the last request was refused, if it was. */
  #refusal: KafkaFailure | undefined;
  #marking: Timer | undefined;
  /** Told of the end of each request. */
  readonly #changes: Changes;
  /** Told when a pause between two requests is to end. */
  readonly #pauses: Changes;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#changes = new Changes(parts.clock);
    this.#pauses = new Changes(parts.clock);
  }

  /**
   * Resolves how it stands with what was done in `version` of `partition`: `true` once it is committed, `false` if the
   * partition went to somebody else before, `undefined` if nobody knows, or after `limitMs`.
   *
   * @throws {KafkaFailure} `refused` if the brokers do not allow it; it is committed when they do.
   */
  async confirm(partition: HeldPartition, version: number, limitMs: number): Promise<boolean | undefined> {
    const deadline = this.#parts.clock.now() + limitMs;
    for (;;) {
      if (partition.committed >= version) return true;
      if (!partition.isOurs) return partition.unsure >= version ? undefined : false;
      partition.awaited = Math.max(partition.awaited, version);
      const leftMs = deadline - this.#parts.clock.now();
      if (leftMs <= 0 || this.#closed) return undefined;
      this.#start();
      await this.#changes.next(leftMs);
      if (this.#refusal !== undefined && partition.isOurs && partition.committed < version) throw this.#refusal;
    }
  }

  /** Commits what has changed, a little later. */
  mark(): void {
    this.#marking ??= this.#parts.clock.schedule(
      () => {
        this.#marking = undefined;
        if (this.#closed) return;
        for (const partition of this.#parts.partitions()) partition.awaited = partition.version;
        this.#start();
      },
      markMs,
      { keepAlive: false },
    );
  }

  /** Commits what has changed by now, in one try, behind the one that is under way. Never rejects. */
  async flush(): Promise<void> {
    await this.#send();
  }

  /** Whoever waits learns what has become of it: partitions were taken from us, or came back. */
  changed(): void {
    this.#changes.tell();
  }

  close(): void {
    this.#closed = true;
    this.#marking?.cancel();
    this.#pauses.tell();
    this.changed();
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    // What is acknowledged in the same turn goes with it.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    while (!this.#closed && this.#isAwaited()) {
      const isDone = await this.#send();
      this.changed();
      if (!isDone && !this.#closed) await this.#pauses.next(this.#refusal === undefined ? retryMs : refusedMs);
    }
    this.#isRunning = false;
  }

  #isAwaited(): boolean {
    for (const { awaited, committed } of this.#parts.partitions()) if (awaited > committed) return true;
    return false;
  }

  #send(): Promise<boolean> {
    const sent = this.#last.then(() => this.#request(longestNote));
    this.#last = sent;
    return sent;
  }

  /** Never rejects. @returns whether it was committed. */
  async #request(longest: number): Promise<boolean> {
    const sent: { readonly partition: HeldPartition; readonly version: number }[] = [];
    const offsets: Committed[] = [];
    for (const partition of this.#parts.partitions()) {
      const { version, tracker } = partition;
      if (version === partition.committed) continue;
      sent.push({ partition, version });
      const { watermark } = tracker;
      const metadata = encodeNote(watermark, partition.note(this.#parts.clock.now()), longest);
      offsets.push({ partition: partition.partition, offset: watermark, metadata });
    }
    if (offsets.length === 0) return true;
    try {
      await this.#parts.commit(offsets);
    } catch (error) {
      const kind = error instanceof KafkaFailure ? error.kind : 'other';
      this.#refusal = kind === 'refused' ? (error as KafkaFailure) : undefined;
      // A broker that was told to take less: then what is behind the watermark comes again after a crash.
      if (kind === 'tooLarge' && longest > 0) return this.#request(0);
      if (kind === 'unsure') for (const { partition, version } of sent) partition.unsure = version;
      return false;
    }
    this.#refusal = undefined;
    for (const { partition, version } of sent) partition.committed = version;
    return true;
  }
}
