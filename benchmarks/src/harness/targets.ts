import { formatNumber, formatRatio } from './format.ts';
import { byRound, type Quantity, ratios, type Sample } from './samples.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** A claim that is checked in every run: a ratio of two cases, or one reading by itself. */
export interface Target {
  /** The number of the target in the list of targets; of several rows with one number each has to be met. */
  readonly row: string;
  readonly what: string;
  readonly numerator: Quantity;
  /** Without it the numerator is held against `asked` as it is. */
  readonly denominator?: Quantity;
  /** What the median has to keep to. Without it the row is there for comparison only. */
  readonly asked?: { readonly atLeast: number } | { readonly atMost: number };
  /** The unit of what is measured; none for a ratio. */
  readonly unit?: string;
}

/** The cases that a target is about. */
export function casesOf({ numerator, denominator }: Target): readonly string[] {
  const names: string[] = [];
  for (const quantity of [numerator, denominator]) {
    for (let one = quantity; one !== undefined; one = one.plus) names.push(one.case);
  }
  return names;
}

/** How a target stands on one Node. */
export interface Verdict {
  readonly target: Target;
  readonly node: string;
  /** `undefined` if nothing was measured. */
  readonly spread: Spread | undefined;
  /** `undefined` if nothing was asked or nothing was measured. */
  readonly met: boolean | undefined;
}

/** Holds every target against what was measured on every Node. */
export function evaluate(
  targets: readonly Target[],
  nodes: readonly string[],
  samples: readonly Sample[],
): readonly Verdict[] {
  return targets.flatMap((target) => nodes.map((node) => evaluateOne(target, node, samples)));
}

function evaluateOne(target: Target, node: string, samples: readonly Sample[]): Verdict {
  const { numerator, denominator, asked } = target;
  const values =
    denominator === undefined
      ? [...byRound(samples, node, numerator).values()]
      : ratios(samples, node, numerator, denominator);
  const spread = spreadOf(values);
  if (spread === undefined || asked === undefined) return { target, node, spread, met: undefined };
  const met = 'atLeast' in asked ? spread.median >= asked.atLeast : spread.median <= asked.atMost;
  return { target, node, spread, met };
}

/** `≥ 1.6`; nothing for a comparison. */
export function describeAsked({ asked, unit }: Target): string {
  if (asked === undefined) return '';
  const [sign, bound] = 'atLeast' in asked ? ['≥', asked.atLeast] : ['≤', asked.atMost];
  return unit === undefined ? `${sign} ${formatRatio(bound)}` : `${sign} ${formatNumber(bound)} ${unit}`;
}

/** `1.89 (1.76–2.00)`: the median of the rounds, the lowest and the highest. */
export function describeMeasured({ target: { unit }, spread }: Verdict): string {
  if (spread === undefined) return 'not measured';
  const format = unit === undefined ? formatRatio : formatNumber;
  return `${format(spread.median)} (${format(spread.min)}–${format(spread.max)})${unit === undefined ? '' : ` ${unit}`}`;
}

/** `met`, `missed`, or nothing where nothing was asked or measured. */
export function describeMet({ met }: Verdict): string {
  return met === undefined ? '' : met ? 'met' : 'missed';
}
