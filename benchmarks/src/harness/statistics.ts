/** The middle of some values and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** @throws {RangeError} if there is no value. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('Cannot take the median: there is no value');
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] as number) + upper) / 2;
}

/** @returns `undefined` if there is no value. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length };
}

/** The value that the share `p` of all values does not exceed. Sorts `values` in place. */
export function percentile(values: Float64Array, p: number): number {
  if (values.length === 0) throw new RangeError('Cannot take a percentile: there is no value');
  values.sort();
  return values[Math.floor(p * (values.length - 1))] as number;
}
