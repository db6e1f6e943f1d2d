import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { kafkaOffer, redisOffer, type TestKafka, type TestRedis } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRepositoryFile } from '../rules/repository.ts';
import {
  brokersFor,
  checkRun,
  jsonFileOf,
  needsVitest,
  type Program,
  programFile,
  programsOf,
  withBrokers,
} from '../scripts/readme-program.mjs';
import { publishedWorkspaces, root } from '../scripts/workspaces.mjs';

// Inside this package, so that the programs can import the packages as a user's would.
const folder = join(root, 'packages/workspace/test-results/readmes');

/** A whole run of the conformance kit is one of the programs. */
const timeoutMs = 120_000;
const vitest = join(root, 'packages/workspace/node_modules/vitest/vitest.mjs');
/** A program that declares a whole run of the conformance kit shows with these rules that it does. */
const NQ_ONLY = '0.1,0.2';

const offers = { redis: await redisOffer(), kafka: await kafkaOffer() };

function write(file: string, { code }: Program): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), code);
}

/** Runs a program against the sources of the workspace; check-tarballs.mjs runs it against what is published. */
function run(file: string, program: Program): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const path = join(folder, file);
  const args = needsVitest(program) ? [vitest, 'run', '--root', dirname(path), path] : [path];
  return runNode(args, dirname(file));
}

/** What Node.js comes to with `args`, in a folder of the programs. */
function runNode(
  args: readonly string[],
  inside: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const options = {
    cwd: join(folder, inside),
    env: { ...process.env, NODE_OPTIONS: '--conditions=@nq/source', NQ_ONLY },
    timeout: timeoutMs,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr });
    });
  });
}

describe('in this repository', () => {
  rmSync(folder, { recursive: true, force: true });
  const opening = [
    'README.md',
    'docs/1-start.md',
    ...publishedWorkspaces().map(({ folder: own }) => `${own}/README.md`),
  ];
  const pages = [...opening, 'docs/kafka.md', 'docs/redis.md', 'docs/write-a-queue.md'].map((path) => ({
    path,
    programs: programsOf(readRepositoryFile(path).text),
  }));
  const programs = pages.flatMap(({ path, programs: own }) =>
    own.map((program) => ({ path, program, line: program.line, file: programFile(path, program) })),
  );
  let redis: TestRedis | undefined;
  let kafka: TestKafka | undefined;
  beforeAll(async () => {
    if (offers.redis.missing === undefined) redis = await offers.redis.start();
    if (offers.kafka.missing === undefined) kafka = await offers.kafka.start();
    const addresses = {
      ...(redis && { redis: `${redis.host}:${redis.port}` }),
      ...(kafka && { kafka: kafka.brokers[0] as string }),
    };
    // Before the first one runs: those of a page that have names may import each other.
    for (const { file, program } of programs) write(file, withBrokers(program, addresses));
  });
  afterAll(() => Promise.all([redis?.stop(), kafka?.stop()]));

  test.for(pages.filter(({ path }) => opening.includes(path)))(
    '$path opens with a program of JavaScript, and has one in TypeScript',
    ({ programs: own }) => {
      const languages = own.map(({ language }) => language);
      expect(languages[0]).toBe('js');
      expect(languages).toContain('ts');
    },
  );

  // That those in TypeScript compile, check-tarballs.mjs finds out.
  test.for(programs)(
    'the program of $path in line $line runs, and prints what it says',
    { timeout: timeoutMs },
    async ({ program, file }, { skip }) => {
      for (const name of brokersFor(program)) {
        const { missing } = offers[name];
        if (missing !== undefined) skip(`it needs a broker: ${missing}`);
      }
      expect(checkRun(program, await run(file, program))).toEqual([]);
    },
  );

  test(
    '`node --test` runs what docs/write-a-queue.md has it run, and none of the other programs of the page',
    { timeout: timeoutMs },
    async () => {
      const { code, stdout } = await runNode(['--test', '--test-reporter=tap'], 'docs-write-a-queue.md');
      expect(stdout).toContain('list-queue conforms (seed');
      expect(stdout).toMatch(/^# tests 2\n# suites 1\n/m);
      expect(code).toBe(0);
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
      {
        language: 'js',
        code: 'a(); // prints: 1\n// prints: two words\n',
        line: 5,
        prints: ['1', 'two words'],
        file: undefined,
      },
      { language: 'ts', code: 'c();\n', line: 14, prints: undefined, file: undefined },
    ]);
  });

  test('have the name that their first line gives them, and lie together then', () => {
    const [named] = programsOf('```ts\n// a-queue.ts\na();\n```\n');
    expect(named?.file).toBe('a-queue.ts');
    expect(programFile('docs/a.md', named as Program)).toBe('docs-a.md/a-queue.ts');
    expect(programFile('docs/a.md', { ...(named as Program), file: undefined })).toBe('docs-a.md-1.ts');
  });

  test('are none where there is none', () => {
    expect(programsOf('# nq\n\n```sh\nnpm i\n```\n')).toEqual([]);
  });
});

describe('jsonFileOf()', () => {
  const page = '```json\n{ "a": 1 }\n```\n\n```json\n// b.json\n{ "b": 1 } // one\n```\n';

  test('is what stands below the name', () => expect(jsonFileOf(page, 'b.json')).toBe('{ "b": 1 } // one\n'));

  test('is looked for in vain if no block has the name', () => {
    expect(() => jsonFileOf(page, 'c.json')).toThrow('There is no block of JSON that begins with // c.json');
  });
});

describe('checkRun()', () => {
  const program = (code: string) => programsOf(`\`\`\`js\n${code}\n\`\`\`\n`)[0] as Program;
  const check = async (code: string) => {
    write('broken.js', program(code));
    return checkRun(program(code), await run('broken.js', program(code)));
  };

  test('accepts a program that prints what it says', async () => {
    expect(await check("console.log('a'); // prints: a")).toEqual([]);
  });

  test('finds a program that fails', async () => {
    expect(await check("throw new Error('oops');")).toEqual([expect.stringContaining('oops')]);
  });

  test('finds a program that imports what does not exist', async () => {
    expect(await check("import { nothing } from '@nq/core';\nnothing();")).toEqual([
      expect.stringContaining('nothing'),
    ]);
  });

  test.for(["console.log('b'); // prints: a", "console.log('a\\nb'); // prints: a", '// prints: a'])(
    'finds a program that prints something else: %s',
    async (code) => expect(await check(code)).toHaveLength(1),
  );
});
