import { manifestRules } from './rules/manifest.ts';
import { pushRules } from './rules/push.ts';
import { pushCallRules } from './rules/push-calls.ts';
import { pushWaitingRules } from './rules/push-waiting.ts';
import { identityRules } from './rules/identity.ts';
import { popRules } from './rules/pop.ts';
import { iterateRules } from './rules/iterate.ts';
import { settleRules } from './rules/settle.ts';
import { retryRules } from './rules/retry.ts';
import { leaseRules } from './rules/leases.ts';
import { bulkRules } from './rules/bulk.ts';
import { deliveryRules } from './rules/deliveries.ts';
import { orderRules } from './rules/order.ts';
import { sizeRules } from './rules/size.ts';
import { closeRules } from './rules/close.ts';
import { closeKeepsRules } from './rules/close-keeps.ts';
import { lifecycleRules } from './rules/lifecycle.ts';
import { durabilityRules } from './rules/durability.ts';
import { processRules } from './rules/processes.ts';
import { processClockRules } from './rules/process-clocks.ts';
import { processKillRules } from './rules/process-kills.ts';
import { faultRules } from './rules/faults.ts';
import { historyRules } from './rules/history.ts';
import { modelRules } from './rules/model.ts';
import { dispatcherRules } from './rules/dispatcher.ts';
import { dispatcherFailureRules } from './rules/dispatcher-failures.ts';
import { dispatcherOutcomeRules } from './rules/dispatcher-outcomes.ts';
import type { Rule } from './rule.ts';

/** The rulebook, in its order. */
export const rules: readonly Rule[] = [
  ...manifestRules,
  ...pushRules,
  ...pushWaitingRules,
  ...pushCallRules,
  ...identityRules,
  ...popRules,
  ...iterateRules,
  ...settleRules,
  ...retryRules,
  ...leaseRules,
  ...bulkRules,
  ...deliveryRules,
  ...orderRules,
  ...sizeRules,
  ...closeRules,
  ...closeKeepsRules,
  ...lifecycleRules,
  ...durabilityRules,
  ...processRules,
  ...processClockRules,
  ...processKillRules,
  ...faultRules,
  ...historyRules,
  ...modelRules,
  ...dispatcherRules,
  ...dispatcherFailureRules,
  ...dispatcherOutcomeRules,
];
