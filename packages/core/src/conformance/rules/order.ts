import type { Rule } from '../rule.ts';

/** §4: in what order events come out. */
export const orderRules: readonly Rule[] = [];
