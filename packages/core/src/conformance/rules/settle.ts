import type { Rule } from '../rule.ts';

/** §3: acknowledging and giving back, and what a lease is. */
export const settleRules: readonly Rule[] = [];
