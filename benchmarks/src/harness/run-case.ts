import { writeSync } from 'node:fs';
import type { Budget } from './budget.ts';
import type { Case, Readings } from './case.ts';

/** What a child process prints, as JSON. */
export type CaseResult = { readonly readings: Readings } | { readonly error: string };

/**
 * Runs one case in this process, prints a {@link CaseResult} and ends the process, whatever still waits in it.
 *
 * @param args the name of the case, a {@link Budget} as JSON, and where the service of the suite is.
 */
export async function runCase(cases: readonly Case[], [name, budget, address]: readonly string[]): Promise<never> {
  const result = await measure(cases, name ?? '', JSON.parse(budget ?? '{}') as Budget, address ?? '');
  writeSync(1, `${JSON.stringify(result)}\n`);
  process.exit();
}

async function measure(cases: readonly Case[], name: string, budget: Budget, address: string): Promise<CaseResult> {
  try {
    const found = cases.find((one) => one.name === name);
    if (found === undefined) throw new Error(`There is no case ${JSON.stringify(name)}`);
    return { readings: await found.run(budget, address) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
