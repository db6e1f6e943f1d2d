import type { Rule } from '../rule.ts';

/** §10: what the dispatcher makes of a queue. */
export const dispatcherRules: readonly Rule[] = [];
