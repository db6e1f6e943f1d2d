import { describe, expect, test } from 'vitest';
import { checkAddresses, checkLength, checkLinks, checkNamedExports } from '../rules/files.ts';
import { publishedSources, readRepositoryFile, repositoryFiles } from '../rules/repository.ts';
import { publishedWorkspaces } from '../scripts/workspaces.mjs';

const files = repositoryFiles();
const sources = publishedSources(files);

describe('in this repository', () => {
  test('every published package has sources', () => {
    for (const { folder } of publishedWorkspaces()) {
      expect(sources.filter(({ path }) => path.startsWith(`${folder}/src/`))).not.toEqual([]);
    }
  });

  test('a source file can be read in one sitting', () => {
    expect(sources.flatMap(checkLength)).toEqual([]);
  });

  test('what is exported is named', () => {
    expect(sources.flatMap(checkNamedExports)).toEqual([]);
  });

  test('no file knows the machine it was written on, the lock file included', () => {
    expect(files.map(({ path }) => path)).toContain('pnpm-lock.yaml');
    expect(files.flatMap(checkAddresses)).toEqual([]);
  });

  test('links between the pages lead somewhere', () => {
    const exists = (path: string) => files.some((file) => file.path === path || file.path.startsWith(`${path}/`));
    expect(files.flatMap((file) => checkLinks(file, exists))).toEqual([]);
  });

  test.for(publishedWorkspaces())('$manifest.name carries the licence of the repository', ({ folder }) => {
    expect(readRepositoryFile(`${folder}/LICENSE`).text).toBe(readRepositoryFile('LICENSE').text);
  });
});

describe('checkLength()', () => {
  const lines = (count: number) => ({ path: 'a.ts', text: 'x\n'.repeat(count) });

  test('accepts 400 lines', () => expect(checkLength(lines(400))).toEqual([]));
  test('finds 401 lines', () => expect(checkLength(lines(401))).toHaveLength(1));
});

describe('checkLinks()', () => {
  const check = (text: string) =>
    checkLinks({ path: 'docs/a.md', text }, (path) => path === 'docs/b.md' || path === 'c');

  test('accepts links to files and folders, to places in them, and to the web', () => {
    expect(check('[b](b.md) [place](b.md#x) [c](../c) [web](https://example.com/x) [here](#y)')).toEqual([]);
  });

  test('finds a link that leads nowhere', () => {
    expect(check('see [d](d.md)')).toEqual(['docs/a.md links to d.md, which is not there']);
  });
});

describe('checkNamedExports()', () => {
  const check = (text: string) => checkNamedExports({ path: 'index.ts', text });

  test('accepts names', () => {
    expect(check("export { a } from './a.ts'; export type { B } from './b.ts'; export const c = 1;")).toEqual([]);
  });

  test.for(["export * from './a.ts';", "export * as a from './a.ts';", "export type * from './a.ts';"])(
    'finds %s',
    (text) => expect(check(text)).toHaveLength(1),
  );
});

describe('checkAddresses()', () => {
  const check = (text: string) => checkAddresses({ path: 'a.md', text });
  // Put together here, so that this file does not hold what it looks for.
  const path = (...parts: string[]) => ['', ...parts].join('/');
  const host = (...parts: string[]) => parts.join('.');

  test.for([
    path('home', 'ada', 'nq', 'src'),
    path('Users', 'ada', 'nq'),
    `"${path('root', 'nq')}"`,
    `cd ${path('work', 'nq')}`,
    ['C:', 'Users', 'ada'].join('\\'),
    `https://${host('registry', 'example', 'org')}/a/-/a-1.0.0.tgz`,
    `${host('npm', 'example', 'com')}/a`,
    `    resolution: {integrity: sha512-x, tarball${':'} https://example.org/a.tgz}`,
  ])('finds %s', (text) => expect(check(`first\n${text}\n`)).toEqual([expect.stringMatching(/^a\.md:2 /)]));

  test.for(['a/home/b/', 'https://example.org/home/b/', './work/a', 'the root of the workspace', 'tarball: see docs'])(
    'accepts %s',
    (text) => expect(check(`in a sentence ${text}`)).toEqual([]),
  );
});
