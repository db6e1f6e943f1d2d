/** A binary heap: the smallest item by `order` comes first. */
export class Heap<Item> {
  readonly #items: Item[] = [];
  readonly #order: (a: Item, b: Item) => number;

  constructor(order: (a: Item, b: Item) => number) {
    this.#order = order;
  }

  get length(): number {
    return this.#items.length;
  }

  /** The smallest item; `undefined` if there is none. */
  peek(): Item | undefined {
    return this.#items[0];
  }

  add(item: Item): void {
    const items = this.#items;
    let index = items.length;
    items.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = items[parent] as Item;
      if (this.#order(above, item) <= 0) break;
      items[index] = above;
      index = parent;
    }
    items[index] = item;
  }

  /** Removes and returns the smallest item; `undefined` if there is none. */
  take(): Item | undefined {
    const items = this.#items;
    const smallest = items[0];
    const last = items.pop() as Item;
    if (items.length > 0) this.#sink(last);
    return smallest;
  }

  /** Puts `item` in the place of the first one and moves it down to where it belongs. */
  #sink(item: Item): void {
    const items = this.#items;
    const half = items.length >> 1;
    let index = 0;
    while (index < half) {
      let child = 2 * index + 1;
      const right = child + 1;
      if (right < items.length && this.#order(items[right] as Item, items[child] as Item) < 0) child = right;
      const below = items[child] as Item;
      if (this.#order(item, below) <= 0) break;
      items[index] = below;
      index = child;
    }
    items[index] = item;
  }
}
