import { manifestRules } from './rules/manifest.ts';
import { pushRules } from './rules/push.ts';
import { popRules } from './rules/pop.ts';
import { settleRules } from './rules/settle.ts';
import { retryRules } from './rules/retry.ts';
import { orderRules } from './rules/order.ts';
import { sizeRules } from './rules/size.ts';
import { closeRules } from './rules/close.ts';
import { durabilityRules } from './rules/durability.ts';
import { faultRules } from './rules/faults.ts';
import { historyRules } from './rules/history.ts';
import { dispatcherRules } from './rules/dispatcher.ts';
import type { Rule } from './rule.ts';

/** The rulebook, in its order. */
export const rules: readonly Rule[] = [
  ...manifestRules,
  ...pushRules,
  ...popRules,
  ...settleRules,
  ...retryRules,
  ...orderRules,
  ...sizeRules,
  ...closeRules,
  ...durabilityRules,
  ...faultRules,
  ...historyRules,
  ...dispatcherRules,
];
