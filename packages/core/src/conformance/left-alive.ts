/** How often what has ended may still be seen: sockets and processes take some turns to go, in milliseconds. */
const graceMs = 1000;
const lookMs = 10;

/** How much there is of what keeps the process alive, by kind. */
export function countAlive(): Map<string, number> {
  const alive = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) alive.set(kind, (alive.get(kind) ?? 0) + 1);
  return alive;
}

/** What there is more of than `before`, by at least `by`, in words. */
export function grownSince(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>, by = 1): string[] {
  return [...now]
    .map(([kind, count]) => ({ kind, count, was: before.get(kind) ?? 0 }))
    .filter(({ count, was }) => count - was >= by)
    .map(({ kind, count, was }) => `${kind} (${count} instead of ${was})`);
}

/** What keeps the process alive that did not `before`, in words. Looks again for a while if there is something. */
export async function leftAlive(before: ReadonlyMap<string, number>): Promise<readonly string[]> {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const left = grownSince(before, countAlive());
    if (left.length === 0 || performance.now() >= deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
