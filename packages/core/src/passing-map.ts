/** How many entries are put in before the table is made anew, unless many more stay in it. */
const renewAfter = 512;

/**
 * A map whose entries stay for a moment, as many after one another as there are events.
 *
 * V8 keeps in the table of a `Map` that has become too full a reference to the one that takes its place, for iterators that
 * are under way. Once one table is old enough to be left alone by the frequent collections, all that follow live as long as
 * it, with whatever they held: a collection of everything that passes through. A quarter of the CPU time of a consumer went
 * into copying what nobody needed any more (Node 20, measured). A `Map` that is made anew before it is old breaks the chain.
 */
export class PassingMap<Key, Value> {
  #entries = new Map<Key, Value>();
  #passed = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
    if (++this.#passed < renewAfter + this.#entries.size) return;
    const renewed = new Map<Key, Value>();
    // Not by its iterator, which makes an array of each entry.
    this.#entries.forEach((held, name) => renewed.set(name, held));
    this.#entries = renewed;
    this.#passed = 0;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  /** In the order in which they were put in. Meanwhile entries may be taken out, but none put in. */
  values(): IterableIterator<Value> {
    return this.#entries.values();
  }
}
