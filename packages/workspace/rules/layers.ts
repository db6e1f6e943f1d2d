import { posix } from 'node:path';
import { importsOf } from './imports.ts';
import type { RepositoryFile } from './repository.ts';

interface Layer {
  readonly name: string;
  /** Files in `src`; one that ends in `/` stands for all files of that folder. */
  readonly files: readonly string[];
  /** Layers that the order would allow, and why they are not. */
  readonly never?: { readonly layers: readonly string[]; readonly why: string };
}

const anyQueue = {
  layers: ['the contract of drivers', 'a driver made into a queue'],
  why: 'a dispatcher works with any MessageQueue, also with one that nobody wrote a driver for',
};

/** The files of core, from the bottom up: a file may import its own layer and those before it, never one after it. */
const coreLayers: readonly Layer[] = [
  {
    name: 'leaves',
    files: [
      'bounded.ts',
      'check.ts',
      'clock.ts',
      'errors.ts',
      'heap.ts',
      'histogram.ts',
      'passing-map.ts',
      'uncaught.ts',
      'random.ts',
    ],
  },
  {
    name: 'what travels',
    files: ['capabilities.ts', 'cloudevents.ts', 'event.ts', 'event-data.ts', 'event-time.ts', 'queue-option.ts'],
  },
  { name: 'the contract of queues', files: ['queue.ts'] },
  { name: 'the contract of drivers', files: ['driver.ts'] },
  {
    name: 'parts of queues',
    files: ['gone-with.ts', 'iterate.ts', 'ticker.ts', 'unsupported.ts', 'waiting.ts'],
    never: { layers: ['the contract of drivers'], why: 'queues that have no driver are made of these parts too' },
  },
  {
    name: 'a driver made into a queue',
    files: [
      'create-queue.ts',
      'driver-calls.ts',
      'driver-delivery.ts',
      'pace.ts',
      'pop-line.ts',
      'push-lanes.ts',
      'push-line.ts',
      'settle-line.ts',
    ],
  },
  {
    name: 'what handlers are and return',
    files: ['handler.ts', 'handler-run.ts', 'handler-stack.ts', 'outcome.ts', 'retry.ts', 'schema.ts'],
    never: anyQueue,
  },
  {
    name: 'from queues to handlers',
    files: [
      'ack-order.ts',
      'dispatch-refusal.ts',
      'dispatcher.ts',
      'dispatcher-options.ts',
      'dispatcher-source.ts',
      'dispatcher-types.ts',
      'end-engine.ts',
      'engine.ts',
      'inline-delivery.ts',
      'intake.ts',
      'opening.ts',
      'registry.ts',
      'settlement.ts',
      'workers.ts',
    ],
    never: anyQueue,
  },
  { name: 'for tests', files: ['testing/'] },
  { name: 'the conformance kit', files: ['conformance/'] },
  { name: 'entry points', files: ['index.ts', 'parts.ts', 'testing.ts', 'conformance.ts'] },
];

/** The files that import what a user may have installed or not, and what that is. */
const optionalPeers: Readonly<Record<string, string>> = {
  'packages/core/src/conformance/fast-check.ts': 'fast-check',
  'packages/core/src/conformance/vitest.ts': 'vitest',
};

/** Checks that the files of core import downwards only, and nothing but Node, each other, and what may be there or not. */
export function checkCoreLayers(files: readonly RepositoryFile[], layers: readonly Layer[] = coreLayers): string[] {
  const folder = 'packages/core/src/';
  const layerOf = (path: string) =>
    layers.findIndex((layer) =>
      layer.files.some((file) => folder + file === path || (file.endsWith('/') && path.startsWith(folder + file))),
    );

  return files
    .filter(({ path }) => path.startsWith(folder))
    .flatMap((file) => {
      const from = layerOf(file.path);
      if (from === -1) return [`${file.path} has no layer: give it one in packages/workspace/rules/layers.ts`];

      return importsOf(file).flatMap((specifier) => {
        if (specifier.startsWith('node:')) return [];
        if (optionalPeers[file.path] === specifier) return [];
        if (!specifier.startsWith('.')) return [`${file.path} imports ${specifier}: core has no dependencies`];
        const target = resolveImport(file.path, specifier);
        if (!target.startsWith(folder)) return [`${file.path} imports ${specifier}, which is outside of src`];
        const to = layerOf(target);
        if (to > from) return [`${file.path} imports ${target}, which is built on top of it`];
        const never = layers[from]?.never;
        const forbidden = never?.layers.includes(layers[to]?.name ?? '') ?? false;
        return forbidden ? [`${file.path} must not import ${target}: ${never?.why}`] : [];
      });
    });
}

/** What an adapter may import besides its own files and Node. */
export interface AdapterImports {
  /** Public subpaths of core, as imported. */
  readonly core: readonly string[];
  /** Its dependencies and peer dependencies, by name. */
  readonly dependencies: readonly string[];
}

/** Checks that an adapter knows core by its public names, its client library, and nobody else. */
export function checkAdapterImports(
  folder: string,
  files: readonly RepositoryFile[],
  allowed: AdapterImports,
): string[] {
  const src = `${folder}/src/`;
  return files
    .filter(({ path }) => path.startsWith(src))
    .flatMap((file) =>
      importsOf(file).flatMap((specifier) => {
        if (specifier.startsWith('node:')) return [];
        if (specifier.startsWith('.')) {
          const inside = resolveImport(file.path, specifier).startsWith(src);
          return inside ? [] : [`${file.path} imports ${specifier}, which is outside of src`];
        }
        if (/^@nq\/core(?:\/(?:testing|conformance).*)$/.test(specifier)) {
          return [`${file.path} imports ${specifier}, which is for tests`];
        }
        if (allowed.core.includes(specifier)) return [];
        const name = packageName(specifier);
        if (!name.startsWith('@nq/') && allowed.dependencies.includes(name)) return [];
        return [
          `${file.path} imports ${specifier}: an adapter imports public names of @nq/core and its own dependencies`,
        ];
      }),
    );
}

const testTools = new Set(['fast-check', 'vitest']);

/** Checks that only tests, and the configuration of the test runner, import what only tests need. */
export function checkTestTools(files: readonly RepositoryFile[]): string[] {
  const isTest = (path: string) => /(?:^|\/)test\//.test(path) || /(?:^|\/)vitest\.(?:base|config)\.ts$/.test(path);
  return files
    .filter(({ path }) => /\.[cm]?[jt]s$/.test(path) && !isTest(path))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => testTools.has(packageName(specifier)) && optionalPeers[file.path] !== specifier)
        .map((specifier) => `${file.path} imports ${specifier}, which only tests may`),
    );
}

function resolveImport(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier);
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
