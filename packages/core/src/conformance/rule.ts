import type { Capabilities } from '../capabilities.ts';
import type { Trial } from './trial.ts';

/** How binding a rule is. */
export type RuleLevel = 'MUST' | 'SHOULD';

/**
 * What a queue may say of itself when all rules of that level pass: `core`, it is a queue; `durable`, it keeps what it has
 * accepted; `resilient`, also through faults; `dispatcher`, events reach handlers as promised.
 */
export type ClaimLevel = 'core' | 'durable' | 'resilient' | 'dispatcher';

/** How much a rule costs: `smoke` tells within seconds whether a queue works at all. */
export type Tier = 'smoke' | 'standard' | 'faults' | 'stress';

export const tiers = ['smoke', 'standard', 'faults', 'stress'] as const satisfies readonly Tier[];

/** What a harness may offer besides opening a queue. */
export type Hook = 'faults' | 'restart' | 'crash' | 'fork' | 'inspect' | 'injectRaw';

/** What a queue has to declare for a rule to hold for it. */
export interface Requirement {
  /** As people say it: `lease`, `order: fifo or key`. */
  readonly text: string;
  /** The capabilities that are looked at. */
  readonly capabilities: readonly (keyof Capabilities)[];
  holds(capabilities: Capabilities): boolean;
}

/** One sentence about every queue, and how to find out whether it is true. */
export interface Rule {
  /** Section and number. Never renumbered, never used again. */
  readonly id: string;
  /** The rule in two or three words, for people. */
  readonly slug: string;
  readonly level: RuleLevel;
  readonly claim: ClaimLevel;
  readonly tier: Tier;
  /** Without it, the rule holds for every queue. */
  readonly requires?: Requirement;
  /** Capabilities beside those that decide what it expects. */
  readonly looksAt?: readonly (keyof Capabilities)[];
  /** What the harness must offer; without it the rule is NOT-VERIFIED. */
  readonly hooks?: readonly Hook[];
  /** The rule itself, as one sentence. */
  readonly text: string;
  /** What happens to users where it does not hold, with a bug where it did not, if one is known. */
  readonly why: string;
  /** What the author of a queue should look at first. */
  readonly checkFirst: string;
  /** The queues, each wrong in one way, that this rule must catch. */
  readonly mutants: readonly string[];
  /** Finds out. @throws {Violation} if the queue breaks the rule. @throws {NotVerified} if that cannot be told. */
  run(trial: Trial): Promise<void>;
  /**
   * What must hold for a queue that does not declare what is required, for example that the operation is refused. Without
   * it there is nothing to call, and the rule does not apply.
   */
  otherwise?(trial: Trial): Promise<void>;
}

/** Requirements, by what is looked at. */
export const needs = {
  order: {
    text: 'order: fifo',
    capabilities: ['order'],
    holds: ({ order }) => order === 'fifo',
  },
  orderByKey: {
    text: 'order: fifo or key',
    capabilities: ['order'],
    holds: ({ order }) => order !== 'none',
  },
  keysApart: {
    text: 'order: key',
    capabilities: ['order'],
    holds: ({ order }) => order === 'key',
  },
  strictRetry: flag('strictRetry'),
  individualAck: {
    text: 'ack: individual',
    capabilities: ['ack'],
    holds: ({ ack }) => ack === 'individual',
  },
  nackDelay: flag('nackDelay'),
  deadLetter: flag('deadLetter'),
  lease: {
    text: 'lease',
    capabilities: ['lease'],
    holds: ({ lease }) => lease !== false,
  },
  leaseExtend: {
    text: 'lease with extend',
    capabilities: ['lease'],
    holds: ({ lease }) => lease !== false && lease.extend,
  },
  capacity: {
    text: 'capacity: hard',
    capabilities: ['capacity'],
    holds: ({ capacity }) => capacity === 'hard',
  },
  size: {
    text: 'size: exact or approximate',
    capabilities: ['size'],
    holds: ({ size }) => size !== 'none',
  },
  multiInstance: flag('multiInstance'),
  groups: {
    text: 'groups',
    capabilities: ['groups'],
    holds: ({ groups }) => groups !== false,
  },
  durable: {
    text: 'durable: process or broker',
    capabilities: ['durable'],
    holds: ({ durable }) => durable !== 'none',
  },
  durableBroker: {
    text: 'durable: broker',
    capabilities: ['durable'],
    holds: ({ durable }) => durable === 'broker',
  },
  copies: {
    text: 'isolation: copy',
    capabilities: ['isolation'],
    holds: ({ isolation }) => isolation === 'copy',
  },
  definiteTimeout: flag('definiteTimeout'),
  fairness: flag('fairness'),
  replay: flag('replay'),
  maxPayloadBytes: {
    text: 'maxPayloadBytes',
    capabilities: ['maxPayloadBytes'],
    holds: ({ maxPayloadBytes }) => maxPayloadBytes !== Infinity,
  },
} as const satisfies Record<string, Requirement>;

type Flag = 'strictRetry' | 'nackDelay' | 'deadLetter' | 'multiInstance' | 'definiteTimeout' | 'fairness' | 'replay';

function flag(name: Flag): Requirement {
  return { text: name, capabilities: [name], holds: (capabilities) => capabilities[name] };
}
