import type { Rule } from '../rule.ts';

/** §9: what must hold of everything that has happened. */
export const historyRules: readonly Rule[] = [];
