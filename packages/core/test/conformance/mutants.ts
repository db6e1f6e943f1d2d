import type { Mutant } from './mutant.ts';
import { manifestMutants } from './mutants/manifest.ts';
import { pushMutants } from './mutants/push.ts';
import { pushCallMutants } from './mutants/push-calls.ts';
import { pushWaitingMutants } from './mutants/push-waiting.ts';
import { identityMutants } from './mutants/identity.ts';
import { popMutants } from './mutants/pop.ts';
import { iterateMutants } from './mutants/iterate.ts';
import { settleMutants } from './mutants/settle.ts';
import { retryMutants } from './mutants/retry.ts';
import { leaseMutants } from './mutants/leases.ts';
import { bulkMutants } from './mutants/bulk.ts';
import { deliveryMutants } from './mutants/deliveries.ts';
import { orderMutants } from './mutants/order.ts';
import { sizeMutants } from './mutants/size.ts';
import { closeMutants } from './mutants/close.ts';
import { closeKeepsMutants } from './mutants/close-keeps.ts';
import { lifecycleMutants } from './mutants/lifecycle.ts';
import { durabilityMutants } from './mutants/durability.ts';
import { processMutants } from './mutants/processes.ts';
import { processClockMutants } from './mutants/process-clocks.ts';
import { processKillMutants } from './mutants/process-kills.ts';
import { faultMutants } from './mutants/faults.ts';
import { historyMutants } from './mutants/history.ts';
import { modelMutants } from './mutants/model.ts';
import { dispatcherMutants } from './mutants/dispatcher.ts';
import { dispatcherFailureMutants } from './mutants/dispatcher-failures.ts';
import { dispatcherOutcomeMutants } from './mutants/dispatcher-outcomes.ts';

/** Every queue that the rules must catch. */
export const mutants: readonly Mutant[] = [
  ...manifestMutants,
  ...pushMutants,
  ...pushWaitingMutants,
  ...pushCallMutants,
  ...identityMutants,
  ...popMutants,
  ...iterateMutants,
  ...settleMutants,
  ...retryMutants,
  ...leaseMutants,
  ...bulkMutants,
  ...deliveryMutants,
  ...orderMutants,
  ...sizeMutants,
  ...closeMutants,
  ...closeKeepsMutants,
  ...lifecycleMutants,
  ...durabilityMutants,
  ...processMutants,
  ...processClockMutants,
  ...processKillMutants,
  ...faultMutants,
  ...historyMutants,
  ...modelMutants,
  ...dispatcherMutants,
  ...dispatcherFailureMutants,
  ...dispatcherOutcomeMutants,
];
