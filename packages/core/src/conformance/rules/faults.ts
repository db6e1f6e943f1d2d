import type { Rule } from '../rule.ts';

/** §8: what happens when the connection or the broker fails. */
export const faultRules: readonly Rule[] = [];
