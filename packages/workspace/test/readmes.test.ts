import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRepositoryFile } from '../rules/repository.ts';
import { checkRun, type Program, programsOf } from '../scripts/readme-program.mjs';
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
  const pages = [
    'README.md',
    'docs/1-start.md',
    ...publishedWorkspaces().map((workspace) => `${workspace.folder}/README.md`),
  ].map((path) => ({ path, programs: programsOf(readRepositoryFile(path).text) }));

  test.for(pages)('$path opens with a program of JavaScript, and has one in TypeScript', ({ programs }) => {
    const languages = programs.map(({ language }) => language);
    expect(languages[0]).toBe('js');
    expect(languages).toContain('ts');
  });

  // That those in TypeScript compile, check-tarballs.mjs finds out.
  test.for(pages.flatMap(({ path, programs }) => programs.map((program) => ({ path, program, line: program.line }))))(
    'the program of $path in line $line runs, and prints what it says',
    ({ path, program, line }) => {
      expect(checkRun(program, run(`${path.replaceAll('/', '-')}-${line}`, program))).toEqual([]);
    },
  );
});

describe('programsOf()', () => {
  test('are the first block of JavaScript or TypeScript and every one of TypeScript, with the lines they print', () => {
    const blocks = [
      '```sh\nnpm i\n```',
      '```js\na(); // prints: 1\n// prints: two words\n```',
      '```js\nb();\n```',
      '```ts\nc();\n```\n',
    ];
    expect(programsOf(blocks.join('\n\n'))).toEqual([
      { language: 'js', code: 'a(); // prints: 1\n// prints: two words\n', line: 5, prints: ['1', 'two words'] },
      { language: 'ts', code: 'c();\n', line: 14, prints: undefined },
    ]);
  });

  test('are none where there is none', () => {
    expect(programsOf('# nq\n\n```sh\nnpm i\n```\n')).toEqual([]);
  });
});

describe('checkRun()', () => {
  const program = (code: string) => programsOf(`\`\`\`js\n${code}\n\`\`\`\n`)[0] as Program;
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
