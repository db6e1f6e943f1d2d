import type { HeldPartition } from './held-partition.ts';

/** How much is fetched before somebody asks for it, of all partitions together. */
export interface FlowLimits {
  readonly prefetch: number;
  readonly prefetchBytes: number;
}

/** The most runs that are done behind the watermark of a partition: so many fit into what is committed with it. */
const mostRuns = 700;

/**
 * Which partitions are to be read no further, for they have their share, and which are to be read again, for half of it is
 * done. Notes that they are.
 */
export function steer(
  partitions: ReadonlyMap<number, HeldPartition>,
  { prefetch, prefetchBytes }: FlowLimits,
): { readonly pausing: readonly number[]; readonly resuming: readonly number[] } {
  const count = partitions.size;
  const pausing: number[] = [];
  const resuming: number[] = [];
  for (const [number, partition] of partitions) {
    const { held, bytes, tracker, isPaused } = partition;
    const fill = Math.max((held * count) / prefetch, (bytes * count) / prefetchBytes, tracker.runs / mostRuns);
    if (!isPaused && fill >= 1) pausing.push(number);
    else if (isPaused && fill <= 0.5) resuming.push(number);
    else continue;
    partition.isPaused = !isPaused;
  }
  return { pausing, resuming };
}
