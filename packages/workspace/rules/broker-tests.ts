import type { Manifest } from './manifests.ts';
import type { RepositoryFile } from './repository.ts';

/** Whether a package's tests run on brokers. */
export function usesBrokers({ name, dependencies, devDependencies }: Manifest): boolean {
  return name === 'nq-testbed' || { ...dependencies, ...devDependencies }['nq-testbed'] !== undefined;
}

/**
 * Checks that the tests of a package always run: what a machine has is in no hash, so turbo would show what another had.
 * The package's own turbo.json says it, because it inherits the rest, such as the variables that tests get to see; an entry
 * for the package in the root's inherits nothing.
 */
export function checkNeverCached({ path, text }: RepositoryFile): string[] {
  const turbo = JSON.parse(text.replaceAll(/^\s*\/\/.*$/gm, '')) as Turbo;
  const holds = turbo.extends?.includes('//') === true && turbo.tasks?.['test']?.cache === false;
  return holds ? [] : [`${path} must extend "//" and set "cache": false for test, because these tests use brokers`];
}

interface Turbo {
  readonly extends?: readonly string[];
  readonly tasks?: Readonly<Record<string, { readonly cache?: boolean }>>;
}
