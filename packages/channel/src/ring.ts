/** How many slots a new ring has. */
const initialSlots = 16;

/**
 * First in, first out. A power of two of slots, doubled when full, so that a large capacity costs nothing until it is
 * used; a slot is cleared when its item leaves, so that the ring keeps nothing alive.
 */
export class Ring<Item> {
  #slots: (Item | undefined)[] = Array.from({ length: initialSlots });
  #mask = initialSlots - 1;
  #head = 0;
  length = 0;

  push(item: Item): void {
    if (this.length > this.#mask) this.#grow();
    this.#slots[(this.#head + this.length) & this.#mask] = item;
    this.length++;
  }

  /** Removes and returns the oldest item. The caller has checked that there is one. */
  shift(): Item {
    const head = this.#head;
    const item = this.#slots[head] as Item;
    this.#slots[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.length--;
    return item;
  }

  #grow(): void {
    const { length } = this.#slots;
    const slots: (Item | undefined)[] = Array.from({ length: length * 2 });
    for (let index = 0; index < length; index++) slots[index] = this.#slots[(this.#head + index) & this.#mask];
    this.#slots = slots;
    this.#mask = slots.length - 1;
    this.#head = 0;
  }
}
