import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ownTypes } from '../../core/src/registry.ts';
import { checkNeverCached, usesBrokers } from '../rules/broker-tests.ts';
import { checkPins, checkPrivate, checkPublished, type Manifest } from '../rules/manifests.ts';
import { readRepositoryFile } from '../rules/repository.ts';
import { publishedWorkspaces, readManifest, root, workspaces } from '../scripts/workspaces.mjs';

const rootManifest: Manifest = readManifest('.');
const published = publishedWorkspaces();
const version: string = readManifest('packages/core').version;
const node = rootManifest.engines?.['node'] ?? '';

describe('in this repository', () => {
  test('there are packages to publish', () => {
    expect(published.map(({ manifest }) => manifest.name)).toEqual(expect.arrayContaining(['@nq/core', '@nq/channel']));
  });

  test.for(published)('the manifest of $manifest.name is fit to publish', ({ folder, manifest }) => {
    const exists = (path: string) => existsSync(join(root, folder, path));
    expect(checkPublished(manifest, { node, version, exists })).toEqual([]);
  });

  test('a package of a queue is one of those that core lists where it is asked for another one', async () => {
    const names: string[] = [];
    for (const { folder, manifest } of published) {
      const source: unknown = manifest.exports?.['.']?.['@nq/source'];
      const main = (await import(pathToFileURL(join(root, folder, String(source))).href)) as object;
      if ('queueType' in main) names.push(manifest.name);
    }
    expect(names.toSorted()).toEqual(ownTypes.map((type) => `@nq/${type}`).toSorted());
  });

  test.for(workspaces().filter(({ manifest }) => manifest.private === true))(
    'the manifest of $manifest.name cannot be mistaken for a published one',
    ({ manifest }) => expect(checkPrivate(manifest)).toEqual([]),
  );

  test.for([{ manifest: rootManifest }, ...workspaces()])('$manifest.name pins its tools', ({ manifest }) => {
    expect(checkPins(manifest)).toEqual([]);
  });

  test.for(workspaces().filter(({ manifest }) => usesBrokers(manifest)))(
    '$manifest.name, which tests on brokers, never takes these tests from the cache',
    ({ folder }) => {
      const path = join(folder, 'turbo.json');
      expect(checkNeverCached(existsSync(join(root, path)) ? readRepositoryFile(path) : { path, text: '{}' })).toEqual(
        [],
      );
    },
  );

  test('package.json pins pnpm to one version', () => {
    expect(rootManifest.packageManager).toMatch(/^pnpm@\d+\.\d+\.\d+$/);
  });

  test('tests run on the Node of the devDependencies, whatever Node the host has', () => {
    expect(process.versions.node).toBe(rootManifest.devDependencies?.['node']);
  });
});

const good: Manifest = {
  name: '@nq/redis',
  version: '1.2.3',
  description: 'A queue',
  license: 'MIT',
  type: 'module',
  sideEffects: false,
  files: ['dist', 'src', 'CHANGELOG.md'],
  engines: { node: '>=20.19.0' },
  exports: {
    '.': { '@nq/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
    './package.json': './package.json',
  },
  publishConfig: { access: 'public', provenance: true },
  scripts: { build: 'a', typecheck: 'b', test: 'c', 'package-check': 'd' },
  peerDependencies: { '@nq/core': '^1.2.3', ioredis: '^6.0.0' },
  devDependencies: { '@nq/core': 'workspace:*' },
};
const goodCore: Manifest = { ...without(good, 'peerDependencies'), name: '@nq/core' };

describe('checkPublished()', () => {
  const check = (manifest: Manifest, exists = (_path: string) => true) =>
    checkPublished(manifest, { node: '>=20.19.0', version: '1.2.3', exists });

  test('accepts an adapter, and core', () => {
    expect([check(good), check(goodCore)]).toEqual([[], []]);
  });

  test.for(['description', 'license', 'type', 'sideEffects', 'files', 'engines', 'publishConfig', 'peerDependencies'])(
    'finds that %s is missing',
    (field) => expect(check(without(good, field))).toHaveLength(1),
  );

  test.for(['bugs', 'homepage', 'repository'])('finds an address in %s', (field) => {
    expect(check({ ...good, [field]: 'somewhere' })).toHaveLength(1);
  });

  const entry = { '@nq/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' };
  const entries: readonly (readonly [string, NonNullable<Manifest['exports']>])[] = [
    ['there is no "."', { './package.json': './package.json' }],
    ['there is no "./package.json"', { '.': entry }],
    ['a target is a pattern', { ...good.exports, './*': './dist/*.js' }],
    ['a source is a pattern', { ...good.exports, './*': { ...entry, '@nq/source': './src/*.ts' } }],
    [
      'the conditions have another order',
      { ...good.exports, '.': { types: entry.types, default: entry.default, '@nq/source': './src/index.ts' } },
    ],
    ['the types are those of another file', { ...good.exports, '.': { ...entry, types: './dist/other.d.ts' } }],
  ];
  test.for(entries)('finds in exports that %s', ([, exports]) => {
    expect(check({ ...good, exports })).toHaveLength(1);
  });

  test('finds an entry point whose source does not exist', () => {
    expect(check(good, (path) => path !== './src/index.ts')).toEqual([
      '@nq/redis: exports "." leads to ./src/index.ts, which does not exist',
    ]);
  });

  test('finds a missing README', () => {
    expect(check(good, (path) => path !== 'README.md')).toEqual(['@nq/redis: README.md is missing']);
  });

  const ranges: readonly (readonly [string, Partial<Manifest>])[] = [
    ['a protocol of the workspace', { dependencies: { ioredis: 'catalog:' } }],
    ['a sibling', { peerDependencies: { ...good.peerDependencies, '@nq/channel': '^1.2.3' } }],
    ['core as a dependency, which would install it twice', { dependencies: { '@nq/core': '^1.2.3' } }],
    ['a peer range of another release', { peerDependencies: { '@nq/core': '^1.1.0' } }],
    ['core from the registry in development', { devDependencies: { '@nq/core': '1.2.3' } }],
    ['another version than that of core', { version: '1.2.4' }],
    ['a name that is not ours', { name: 'redis' }],
    ['an override that only pnpm applies', { publishConfig: { ...good.publishConfig, exports: {} } }],
  ];
  test.for(ranges)('finds %s', ([, change]) => expect(check({ ...good, ...change })).toHaveLength(1));

  test('finds a dependency of core', () => {
    const refused = ['@nq/core: core has no dependencies'];
    expect(check({ ...goodCore, dependencies: { ioredis: '^6.0.0' } })).toEqual(refused);
    const peerDependencies = { vitest: '^5.0.0' };
    expect(check({ ...goodCore, peerDependencies })).toEqual(refused);
    expect(check({ ...goodCore, peerDependencies, peerDependenciesMeta: { vitest: { optional: true } } })).toEqual([]);
  });
});

describe('checkPrivate()', () => {
  test('finds a name and a version that look published', () => {
    expect(checkPrivate({ name: '@nq/example', version: '1.0.0' })).toHaveLength(2);
    expect(checkPrivate({ name: '@nq/example', version: '0.0.0' })).toEqual([]);
  });
});

describe('checkPins()', () => {
  test('accepts exact versions, also under another name, the catalog and the workspace', () => {
    const devDependencies = { a: '1.2.3', b: 'catalog:', c: 'workspace:*', d5: 'npm:d@5.0.0' };
    expect(checkPins({ devDependencies })).toEqual([]);
  });

  test('finds a range', () => {
    expect(checkPins({ devDependencies: { a: '^1.2.3', b: 'latest', c: 'npm:d@^5.0.0' } })).toHaveLength(3);
  });

  test('looks at the dependencies of private packages, which nobody installs with others', () => {
    expect(checkPins({ private: true, dependencies: { a: '^1.2.3' } })).toHaveLength(1);
    expect(checkPins({ dependencies: { a: '^1.2.3' } })).toEqual([]);
  });
});

describe('usesBrokers()', () => {
  test('is true of the testbed and of those that use it', () => {
    expect(usesBrokers({ name: 'nq-testbed' })).toBe(true);
    expect(usesBrokers({ name: 'a', devDependencies: { 'nq-testbed': 'workspace:*' } })).toBe(true);
    expect(usesBrokers({ name: 'a', dependencies: { 'nq-testbed': 'workspace:*' } })).toBe(true);
    expect(usesBrokers({ name: 'a', devDependencies: { vitest: '1.2.3' } })).toBe(false);
  });
});

describe('checkNeverCached()', () => {
  const check = (turbo: object) => checkNeverCached({ path: 'turbo.json', text: `// why\n${JSON.stringify(turbo)}` });
  const never = { test: { cache: false } };

  test('accepts what extends the whole and is not cached', () => {
    expect(check({ extends: ['//'], tasks: never })).toEqual([]);
  });

  test.for([{}, { tasks: never }, { extends: ['//'] }, { extends: ['//'], tasks: { test: {} } }])(
    'finds what is cached, or has lost which variables are passed on: %o',
    (turbo) => expect(check(turbo)).toHaveLength(1),
  );
});

function without(manifest: Manifest, field: string): Manifest {
  return Object.fromEntries(Object.entries(manifest).filter(([name]) => name !== field));
}
