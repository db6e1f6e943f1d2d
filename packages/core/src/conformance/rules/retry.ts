import type { Rule } from '../rule.ts';

/** §3: what becomes of events that come back. */
export const retryRules: readonly Rule[] = [];
