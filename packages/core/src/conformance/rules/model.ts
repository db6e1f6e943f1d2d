import { fastCheck } from '../fast-check.ts';
import {
  connectCommand,
  popCommand,
  pushCommand,
  type RealQueue,
  reopenCommand,
  settleCommand,
  sizeCommand,
} from '../model/commands.ts';
import { QueueModel } from '../model/queue-model.ts';
import type { Rule } from '../rule.ts';
import { NotVerified, Violation } from '../violation.ts';

/** How many sequences of calls are tried, and how long they are: what finds each mutant with every one of 100 seeds. */
const runs = 300;
const longestRun = 25;
/** Fewer sequences than these prove too little. */
const fewestRuns = 5;
/** After this many milliseconds no further sequence is tried, if there were as many; and after so many times it in any case. */
const budgetMs = 15_000;
const mostBudgets = 3;

/** §9, continued: a queue beside a model of it. */
export const modelRules: readonly Rule[] = [
  {
    id: '9.4',
    slug: 'like-its-model',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Whatever the order of calls, a queue answers as a plain list with the same capabilities would.',
    why: 'Nobody thinks of every order of calls: deliveries that came back together at close() in reverse order passed 44 rules and 800 random histories, and were found by a model in 3 commands.',
    checkFirst: 'Replay the shortest sequence that failed by hand; what does the backend hold after each call?',
    mutants: ['stale-empty-flag', 'size-forgets-nacked', 'attempt-by-connection'],
    async run(trial) {
      const fc = fastCheck();
      const which = fc.nat(10);
      const commands = fc.commands(
        [
          fc.tuple(which, fc.constantFrom('k', 'l')).map(([one, key]) => pushCommand(one, key)),
          fc.tuple(which, fc.constantFrom('k', 'l')).map(([one, key]) => pushCommand(one, key)),
          which.map((one) => popCommand(one)),
          which.map((one) => popCommand(one)),
          fc
            .tuple(which, fc.constantFrom('ack' as const, 'nack' as const))
            .map(([one, verb]) => settleCommand(one, verb)),
          which.map((one) => sizeCommand(one)),
          fc.constant(connectCommand()),
          fc.constant(reopenCommand()),
        ],
        { maxCommands: longestRun, size: 'max' },
      );
      let tried = 0;
      const began = trial.clock.now();
      const ownBudgetMs = budgetMs * trial.timing.scale;
      const property = fc.asyncProperty(commands, async (sequence) => {
        const budgets = (trial.clock.now() - began) / ownBudgetMs;
        if (budgets > mostBudgets || (budgets > 1 && tried >= fewestRuns)) return;
        const neighbour = await trial.neighbour(`model-${tried++}`, { capacity: 5 });
        const real: RealQueue = { trial, place: neighbour, queues: [neighbour.queue] };
        const { capabilities, capacity } = neighbour.queue;
        await fc.asyncModelRun(() => ({ model: new QueueModel(capabilities, capacity), real }), sequence);
        await neighbour.leave();
      });
      const details = await fc.check(property, { numRuns: runs, seed: Math.floor(trial.random() * 2 ** 31) });
      const { errorInstance: error, counterexample, seed, counterexamplePath } = details;
      if (!details.failed) {
        if (tried < fewestRuns) throw new NotVerified(`only ${tried} sequences of calls could be tried in time`);
        return;
      }
      if (error instanceof NotVerified) throw error;
      const calls = String(counterexample?.[0] ?? '');
      const reason = error instanceof Error ? error.message : 'something was thrown';
      throw new Violation(`${reason}, after ${calls} (fast-check: seed ${seed}, path ${counterexamplePath})`);
    },
  },
];
