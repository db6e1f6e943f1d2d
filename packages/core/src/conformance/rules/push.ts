import type { Rule } from '../rule.ts';

/** §1: putting events in. */
export const pushRules: readonly Rule[] = [];
