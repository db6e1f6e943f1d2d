/** How much time and memory one run of a case may take. */
export interface Budget {
  /** The aim for one timed pass, in milliseconds. */
  readonly passMs: number;
  /** How many timed passes there are. */
  readonly passes: number;
  /** How long code runs before anything is timed, in milliseconds. */
  readonly warmUpMs: number;
  /** How long a closed or open loop runs, in milliseconds. */
  readonly loopMs: number;
  /** How many events are held where memory is measured. */
  readonly heldEvents: number;
}

/** As in the measurements that the targets come from. */
export const fullBudget: Budget = { passMs: 80, passes: 5, warmUpMs: 160, loopMs: 1000, heldEvents: 1_000_000 };

/**
 * For operations that wait for a server: so few are done in a while that their code is not compiled after a short one, and
 * a service that runs for hours is to be measured, not its first second.
 */
export const serverBudget: Budget = { ...fullBudget, passMs: 120, warmUpMs: 800 };

/** Shows that everything runs; its numbers mean little. 125,000 events fill a power of two of slots as 1,000,000 do. */
export const quickBudget: Budget = { passMs: 20, passes: 3, warmUpMs: 100, loopMs: 150, heldEvents: 125_000 };
