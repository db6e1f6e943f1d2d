import type { Manifest } from './manifests.ts';
import type { RepositoryFile } from './repository.ts';

/** Checks that tests on brokers always run: what a machine has is in no hash, so turbo would repeat what another had. */
export function checkBrokerTests(manifests: readonly Manifest[], turbo: RepositoryFile): string[] {
  const { tasks } = JSON.parse(turbo.text.replaceAll(/^\s*\/\/.*$/gm, '')) as Turbo;
  return manifests
    .filter(({ name, devDependencies }) => name === 'nq-testbed' || devDependencies?.['nq-testbed'] !== undefined)
    .filter(({ name }) => tasks[`${name}#test`]?.cache !== false)
    .map(({ name }) => `${turbo.path}: the task ${name}#test must have "cache": false, because it uses brokers`);
}

interface Turbo {
  readonly tasks: Readonly<Record<string, { readonly cache?: boolean }>>;
}
