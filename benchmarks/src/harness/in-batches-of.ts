/** Calls `each` for one batch of `size` after the other, from one index up to another one, until there are `count`. */
export async function inBatchesOf(
  size: number,
  count: number,
  each: (from: number, end: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < count; from += size) await each(from, Math.min(count, from + size));
}
