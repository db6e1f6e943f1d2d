import type { Mutant } from './mutant.ts';
import { manifestMutants } from './mutants/manifest.ts';
import { pushMutants } from './mutants/push.ts';
import { popMutants } from './mutants/pop.ts';
import { settleMutants } from './mutants/settle.ts';
import { retryMutants } from './mutants/retry.ts';
import { orderMutants } from './mutants/order.ts';
import { sizeMutants } from './mutants/size.ts';
import { closeMutants } from './mutants/close.ts';
import { durabilityMutants } from './mutants/durability.ts';
import { faultMutants } from './mutants/faults.ts';
import { historyMutants } from './mutants/history.ts';
import { dispatcherMutants } from './mutants/dispatcher.ts';

/** Every queue that the rules must catch. */
export const mutants: readonly Mutant[] = [
  ...manifestMutants,
  ...pushMutants,
  ...popMutants,
  ...settleMutants,
  ...retryMutants,
  ...orderMutants,
  ...sizeMutants,
  ...closeMutants,
  ...durabilityMutants,
  ...faultMutants,
  ...historyMutants,
  ...dispatcherMutants,
];
