/** Calls `each` with 0 to `count - 1`, by so many callers at once, each of which awaits its own call. */
export async function concurrently(callers: number, count: number, each: (index: number) => unknown): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
