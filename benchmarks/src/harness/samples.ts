import type { Readings } from './case.ts';

/** What one run of one case has read. */
export interface Sample {
  readonly case: string;
  /** The version of Node, without a `v`. */
  readonly node: string;
  /** From 1. */
  readonly round: number;
  readonly readings: Readings;
}

/** One reading of one case. */
export interface Quantity {
  readonly case: string;
  readonly reading: string;
  /** What is added to it in each round, as to the way in the way out. */
  readonly plus?: Quantity;
}

/** What was read in each round on one Node. Rounds in which the case did not run are missing. */
export function byRound(samples: readonly Sample[], node: string, quantity: Quantity): ReadonlyMap<number, number> {
  const values = new Map<number, number>();
  for (const sample of samples) {
    if (sample.case !== quantity.case || sample.node !== node) continue;
    const value = sample.readings[quantity.reading];
    if (value !== undefined) values.set(sample.round, value);
  }
  return quantity.plus === undefined ? values : added(values, byRound(samples, node, quantity.plus));
}

function added(values: ReadonlyMap<number, number>, others: ReadonlyMap<number, number>): ReadonlyMap<number, number> {
  const sums = [...values].flatMap(([round, value]): [number, number][] => {
    const other = others.get(round);
    return other === undefined ? [] : [[round, value + other]];
  });
  return new Map(sums);
}

/**
 * `numerator / denominator` of each round on one Node. Only runs of the same round are compared: the machine may be
 * faster or slower in another one.
 */
export function ratios(
  samples: readonly Sample[],
  node: string,
  numerator: Quantity,
  denominator: Quantity,
): readonly number[] {
  const below = byRound(samples, node, denominator);
  return [...byRound(samples, node, numerator)].flatMap(([round, above]) => {
    const divisor = below.get(round);
    return divisor === undefined ? [] : [above / divisor];
  });
}
