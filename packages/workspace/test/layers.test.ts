import { describe, expect, test } from 'vitest';
import { checkAdapterImports, checkCoreLayers, checkTestTools } from '../rules/layers.ts';
import type { Manifest } from '../rules/manifests.ts';
import { repositoryFiles } from '../rules/repository.ts';
import { publishedWorkspaces, readManifest } from '../scripts/workspaces.mjs';

const files = repositoryFiles();

describe('in this repository', () => {
  test('the files of core import only Node and what is below them', () => {
    expect(checkCoreLayers(files)).toEqual([]);
  });

  const core: Manifest = readManifest('packages/core');
  const subpaths = Object.keys(core.exports ?? {}).map((subpath) => subpath.replace('.', '@nq/core'));
  const adapters = publishedWorkspaces().filter(({ manifest }) => manifest.name !== '@nq/core');

  test.for(adapters)('$manifest.name imports public names of core and its own dependencies', ({ folder, manifest }) => {
    const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    expect(checkAdapterImports(folder, files, { core: subpaths, dependencies })).toEqual([]);
  });

  test('only tests import what only tests need', () => {
    expect(checkTestTools(files)).toEqual([]);
  });
});

describe('checkCoreLayers()', () => {
  const layers = [
    { name: 'errors', files: ['errors.ts'] },
    { name: 'drivers', files: ['driver.ts'] },
    { name: 'queues', files: ['queue.ts', 'queue/'] },
    { name: 'dispatchers', files: ['dispatcher.ts'], never: { layers: ['drivers'], why: 'for a reason' } },
  ];
  const check = (path: string, text: string) => checkCoreLayers([{ path: `packages/core/src/${path}`, text }], layers);

  test('accepts imports of the same layer, of layers below, and of Node', () => {
    const text = "import './errors.ts'; import './queue/ring.ts'; import { randomUUID } from 'node:crypto';";
    expect(check('queue.ts', text)).toEqual([]);
  });

  test.for([
    ["import { Dispatcher } from './dispatcher.ts';", 'a name'],
    ["import type { Dispatcher } from './dispatcher.ts';", 'a type'],
    ["export { Dispatcher } from './dispatcher.ts';", 'a re-export'],
    ["const lazy = () => import('./dispatcher.ts');", 'an import at run time'],
  ])('finds an import of a layer above: %s', ([text]) => {
    expect(check('queue.ts', text ?? '')).toEqual([
      'packages/core/src/queue.ts imports packages/core/src/dispatcher.ts, which is built on top of it',
    ]);
  });

  test('looks into folders', () => {
    expect(check('queue/ring.ts', "import '../dispatcher.ts';")).toHaveLength(1);
  });

  test('is not misled by an import in a comment', () => {
    expect(check('queue.ts', "/** import { Dispatcher } from './dispatcher.ts'; */")).toEqual([]);
  });

  test('finds a dependency, an adapter and a file outside of src', () => {
    expect(check('dispatcher.ts', "import 'lodash'; import '@nq/redis'; import '../test/fake.ts';")).toHaveLength(3);
  });

  test('finds a file that has no layer', () => {
    expect(check('new.ts', '')).toEqual([expect.stringContaining('has no layer')]);
  });

  test('finds an import that the order allows and the design does not', () => {
    expect(check('queue.ts', "import './driver.ts';")).toEqual([]);
    expect(check('dispatcher.ts', "import './driver.ts';")).toEqual([
      'packages/core/src/dispatcher.ts must not import packages/core/src/driver.ts: for a reason',
    ]);
  });
});

describe('checkAdapterImports()', () => {
  const check = (specifier: string) =>
    checkAdapterImports(
      'packages/redis',
      [{ path: 'packages/redis/src/redis-queue.ts', text: `import '${specifier}';` }],
      {
        core: ['@nq/core', '@nq/core/parts', '@nq/core/testing'],
        dependencies: ['@nq/core', '@nq/channel', 'ioredis'],
      },
    );

  test.for(['node:events', './ring.ts', '@nq/core', '@nq/core/parts', 'ioredis', 'ioredis/built/cluster'])(
    'accepts %s',
    (specifier) => expect(check(specifier)).toEqual([]),
  );

  test.for([
    ['a sibling, even if it is a dependency', '@nq/channel'],
    ['a private path of core', '@nq/core/src/heap.ts'],
    ['what core offers to tests', '@nq/core/testing'],
    ['a package that is no dependency', 'kafkajs'],
    ['a file outside of src', '../../core/src/heap.ts'],
  ])('finds %s', ([, specifier]) => expect(check(specifier ?? '')).toHaveLength(1));
});

describe('checkTestTools()', () => {
  const text = "import { test } from 'vitest';";

  test.for(['packages/core/src/queue.ts', 'examples/shop/src/main.ts', 'benchmarks/push.mjs'])(
    'finds one in %s',
    (path) => expect(checkTestTools([{ path, text }])).toHaveLength(1),
  );

  test.for(['packages/core/test/queue.test.ts', 'packages/core/vitest.config.ts'])('allows one in %s', (path) =>
    expect(checkTestTools([{ path, text }])).toEqual([]),
  );
});
