import { type DeadLetter, type DeadLetters, NqError } from '@nq/core';
import { checkCount } from '@nq/core/parts';

/** The dead letters of a channel: in memory, oldest first, bounded. */
export class ChannelDeadLetters<Data> implements DeadLetters<Data> {
  readonly #capacity: number;
  readonly #replay: (letter: DeadLetter<Data>) => void;
  #letters: DeadLetter<Data>[] = [];
  #closed = false;

  /** @param replay makes the event of a dead letter ready again. */
  constructor(capacity: number, replay: (letter: DeadLetter<Data>) => void) {
    this.#capacity = capacity;
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
  add(letter: DeadLetter<Data>): void {
    if (this.full) {
      throw new NqError(
        'NQ_FULL',
        `Cannot keep a dead letter: all ${this.#capacity} places are taken (option deadLetterCapacity)`,
      );
    }
    this.#letters.push(letter);
  }

  /** They are gone with the channel. */
  close(): void {
    this.#closed = true;
    this.#letters = [];
  }

  async count(): Promise<number> {
    this.#refuseIfClosed('count');
    return this.#letters.length;
  }

  async list({ limit = 100 }: { readonly limit?: number } = {}): Promise<readonly DeadLetter<Data>[]> {
    this.#refuseIfClosed('list');
    checkCount('Cannot list dead letters', 'limit', limit, 0, Infinity);
    return this.#letters.slice(0, limit);
  }

  async replay(ids?: readonly string[]): Promise<number> {
    this.#refuseIfClosed('replay');
    return this.#takeOut(ids, this.#replay);
  }

  async remove(ids?: readonly string[]): Promise<number> {
    this.#refuseIfClosed('remove');
    return this.#takeOut(ids, () => {});
  }

  #refuseIfClosed(verb: string): void {
    if (this.#closed) throw new NqError('NQ_CLOSED', `Cannot ${verb} dead letters: the channel is closed`);
  }

  /** Removes each letter of `ids` once `use` has taken it. */
  #takeOut(ids: readonly string[] | undefined, use: (letter: DeadLetter<Data>) => void): number {
    const wanted = ids === undefined ? undefined : new Set(ids);
    const kept: DeadLetter<Data>[] = [];
    let taken = 0;
    for (const letter of this.#letters) {
      if (wanted === undefined || wanted.has(letter.event.id)) {
        use(letter);
        taken++;
      } else kept.push(letter);
    }
    this.#letters = kept;
    return taken;
  }
}
