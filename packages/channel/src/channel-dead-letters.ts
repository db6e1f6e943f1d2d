import { type DeadLetter, type DeadLetters, NqError } from '@nq/core';
import { checkCount, checkIds, checkOptions } from '@nq/core/parts';
import type { ChannelCodec, Stored } from './channel-codec.ts';

/** A dead letter as it is kept: who lists it gets the event in the isolation of the channel. */
export interface StoredLetter<Data> extends Omit<DeadLetter, 'event'> {
  readonly stored: Stored<Data>;
  readonly id: string;
}

/** The dead letters of a channel: in memory, oldest first, bounded. */
export class ChannelDeadLetters<Data> implements DeadLetters {
  readonly #capacity: number;
  readonly #codec: ChannelCodec<Data>;
  readonly #replay: (letter: StoredLetter<Data>) => void;
  #letters: StoredLetter<Data>[] = [];
  #closed = false;

  /** @param replay makes the event of a dead letter ready again. */
  constructor(capacity: number, codec: ChannelCodec<Data>, replay: (letter: StoredLetter<Data>) => void) {
    this.#capacity = capacity;
    this.#codec = codec;
    this.#replay = replay;
  }

  /** Whether any are kept at all. */
  get kept(): boolean {
    return this.#capacity > 0;
  }

  get full(): boolean {
    return this.#letters.length >= this.#capacity;
  }

  /** @throws {NqError} `NQ_FULL` if there is no room: the letter is not kept. */
  add(letter: StoredLetter<Data>): void {
    if (this.full) {
      throw new NqError(
        'NQ_FULL',
        `Cannot keep a dead letter: all ${this.#capacity} places are taken (option deadLetterCapacity)`,
      );
    }
    this.#letters.push(letter);
  }

  /** They are gone with the channel. @returns how many. */
  close(): number {
    const { length } = this.#letters;
    this.#closed = true;
    this.#letters = [];
    return length;
  }

  async count(): Promise<number> {
    this.#refuseIfClosed('count');
    return this.#letters.length;
  }

  async list(options: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    checkOptions('Cannot list dead letters', options, ['limit']);
    const { limit = 100 } = options;
    checkCount('Cannot list dead letters', 'limit', limit, 0, Infinity);
    this.#refuseIfClosed('list');
    return this.#letters.slice(0, limit).map(({ stored, attempts, reason, deadAt }) => {
      return { event: this.#codec.decode(stored), attempts, reason, deadAt };
    });
  }

  async replay(ids?: readonly string[]): Promise<number> {
    checkIds('Cannot replay dead letters', ids);
    this.#refuseIfClosed('replay');
    return this.#takeOut(ids, this.#replay);
  }

  async remove(ids?: readonly string[]): Promise<number> {
    checkIds('Cannot remove dead letters', ids);
    this.#refuseIfClosed('remove');
    return this.#takeOut(ids, () => {});
  }

  #refuseIfClosed(verb: string): void {
    if (this.#closed) throw new NqError('NQ_CLOSED', `Cannot ${verb} dead letters: the channel is closed`);
  }

  /** Removes each letter of `ids` that `use` has taken; where it fails, that letter and those after it stay. */
  #takeOut(ids: readonly string[] | undefined, use: (letter: StoredLetter<Data>) => void): number {
    const wanted = ids === undefined ? undefined : new Set(ids);
    const letters = this.#letters;
    const kept: StoredLetter<Data>[] = [];
    let seen = 0;
    try {
      for (const letter of letters) {
        if (wanted === undefined || wanted.has(letter.id)) use(letter);
        else kept.push(letter);
        seen++;
      }
    } finally {
      this.#letters = [...kept, ...letters.slice(seen)];
    }
    return letters.length - this.#letters.length;
  }
}
