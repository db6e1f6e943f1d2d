import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRepositoryFile } from '../rules/repository.ts';
import { checkRun, firstProgram, type Program } from '../scripts/readme-program.mjs';
import { publishedWorkspaces, root } from '../scripts/workspaces.mjs';

// Inside this package, so that the programs can import the packages as a user's would.
const folder = join(root, 'packages/workspace/test-results/readmes');

/** Runs a program against the sources of the workspace; check-tarballs.mjs runs it against what is published. */
function run(name: string, { language, code }: Program) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.${language}`);
  writeFileSync(file, code);
  const result = spawnSync(process.execPath, ['--conditions=@nq/source', file], { encoding: 'utf8', timeout: 30_000 });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

describe('in this repository', () => {
  const readmes = [
    'README.md',
    'docs/1-start.md',
    ...publishedWorkspaces().map((workspace) => `${workspace.folder}/README.md`),
  ];

  test.for(readmes)('the first program of %s runs, and prints what it says', (path) => {
    const program = firstProgram(readRepositoryFile(path).text);
    if (program === undefined) throw new Error(`${path} has no program: its first screen should show one that runs`);
    expect(checkRun(program, run(path.replaceAll('/', '-'), program))).toEqual([]);
  });
});

describe('firstProgram()', () => {
  test('is the first block of JavaScript or TypeScript, with the lines it prints', () => {
    const markdown = '```sh\nnpm i\n```\n\n```ts\na(); // prints: 1\n// prints: two words\n```\n\n```js\nb();\n```\n';
    expect(firstProgram(markdown)).toEqual({
      language: 'ts',
      code: 'a(); // prints: 1\n// prints: two words\n',
      prints: ['1', 'two words'],
    });
  });

  test('is undefined where there is none', () => {
    expect(firstProgram('# nq\n\n```sh\nnpm i\n```\n')).toBeUndefined();
  });
});

describe('checkRun()', () => {
  const program = (code: string) => firstProgram(`\`\`\`js\n${code}\n\`\`\`\n`) as Program;
  const check = (code: string) => checkRun(program(code), run('broken', program(code)));

  test('accepts a program that prints what it says', () => {
    expect(check("console.log('a'); // prints: a")).toEqual([]);
  });

  test('finds a program that fails', () => {
    expect(check("throw new Error('oops');")).toEqual([expect.stringContaining('oops')]);
  });

  test('finds a program that imports what does not exist', () => {
    expect(check("import { nothing } from '@nq/core';\nnothing();")).toEqual([expect.stringContaining('nothing')]);
  });

  test.for(["console.log('b'); // prints: a", "console.log('a\\nb'); // prints: a", '// prints: a'])(
    'finds a program that prints something else: %s',
    (code) => expect(check(code)).toHaveLength(1),
  );
});
