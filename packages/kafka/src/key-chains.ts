import { PassingMap } from '@nq/core/parts';

/** What can stand in a chain. */
export interface Link<Self> {
  /** What comes after it in its chain. Of the chains alone. */
  following: Self | undefined;
}

/**
 * Keeps what has the same key in order: of each key only the first may be handed out, and the next one when that is done.
 * Other keys go on meanwhile. Everything costs the same however long a chain is.
 */
export class KeyChains<Item extends Link<Item>> {
  readonly #last = new PassingMap<string, Item>();

  /** How many keys have something that is not done. */
  get size(): number {
    return this.#last.size;
  }

  /** Puts `item` behind those of its key. @returns whether it is the first, and may be handed out. */
  add(key: string, item: Item): boolean {
    const last = this.#last.get(key);
    this.#last.set(key, item);
    if (last === undefined) return true;
    last.following = item;
    return false;
  }

  /** Ends the turn of `item`, the first of its key. @returns the next one, which may be handed out now. */
  remove(key: string, item: Item): Item | undefined {
    const { following } = item;
    if (following === undefined) this.#last.delete(key);
    item.following = undefined;
    return following;
  }
}
