// `pnpm check-tarballs`: packs what would be published and uses it as a stranger would, in a folder outside of the
// workspace, with plain npm, on the oldest Node we support and on a current one.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { kafkaOffer, redisOffer } from 'nq-testbed';
import {
  brokersFor,
  checkRun,
  jsonFileOf,
  needsVitest,
  programFile,
  programsOf,
  withBrokers,
} from './readme-program.mjs';
import { build, exitWith, step, StepFailed } from './steps.mjs';
import { capture, command, npm, pack } from './tarballs.mjs';
import { publishedWorkspaces, readManifest, root } from './workspaces.mjs';

const published = publishedWorkspaces();
const oldestNode = readManifest('.').engines.node.replace('>=', '');
const nodeTypes = readManifest('packages/workspace/node_modules/@types/node').version;
const compiler = join(root, 'node_modules/typescript/bin/tsc');

/** Every module a consumer can import: not `@nq/core/package.json`, nor other JSON. */
const entryPoints = published.flatMap(({ manifest }) =>
  Object.keys(manifest.exports)
    .filter((subpath) => !subpath.endsWith('.json'))
    .map((subpath) => subpath.replace('.', manifest.name)),
);

/** What imports a test runner, and runs only in it. Its types are checked all the same. */
const needsRunner = (/** @type {string} */ name) => name.endsWith('/vitest');

/** The programs of the pages that a newcomer reads, each with its file, whose name says where it is from. */
const programs = [
  'README.md',
  'docs/1-start.md',
  'docs/kafka.md',
  'docs/redis.md',
  'docs/write-a-queue.md',
  ...published.map(({ folder }) => `${folder}/README.md`),
].flatMap((page) =>
  programsOf(readFileSync(join(root, page), 'utf8')).map((program) => ({
    program,
    place: `${page}, line ${program.line}`,
    file: programFile(page, program),
  })),
);

/** What the programs are held to: whoever copies one must not have to mend it, however strict they are. */
const strictest = {
  target: 'es2022',
  module: 'nodenext',
  lib: ['es2023', 'esnext.disposable'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noImplicitReturns: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  isolatedModules: true,
  moduleDetection: 'force',
  skipLibCheck: false,
  rewriteRelativeImportExtensions: true,
  outDir: 'compiled',
  rootDir: '.',
};

await exitWith(async () => {
  await build(published.map(({ manifest }) => manifest.name));
  const folder = mkdtempSync(join(tmpdir(), 'nq-tarballs-'));
  const offers = { redis: await redisOffer(), kafka: await kafkaOffer() };
  const redis = offers.redis.missing === undefined ? await offers.redis.start() : undefined;
  const kafka = offers.kafka.missing === undefined ? await offers.kafka.start() : undefined;
  const addresses = {
    ...(redis && { redis: `${redis.host}:${redis.port}` }),
    ...(kafka && { kafka: String(kafka.brokers[0]) }),
  };
  try {
    const tarballs = await step('Packing with npm', () =>
      pack(
        published.map(({ folder: source }) => source),
        folder,
      ),
    );
    const project = join(folder, 'project');
    await step('Installing the tarballs into an empty project', () => installInto(project, tarballs));
    await step('Reading what was packed', async () => checkContents(project));
    await step('Compiling a project that uses them, strictly and with library checks', () =>
      compile(project, addresses),
    );
    const node = await step(`Fetching Node ${oldestNode}`, () => fetchNode(join(folder, 'node')));
    await step(`Using the packages on Node ${oldestNode}`, () => runAll(project, node, addresses));
    await step(`Using the packages on Node ${process.versions.node}`, () =>
      runAll(project, process.execPath, addresses),
    );
  } finally {
    await Promise.all([redis?.stop(), kafka?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
});

/**
 * @param {string} project
 * @param {readonly string[]} tarballs
 */
async function installInto(project, tarballs) {
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await command(npm, ['install', '--no-audit', '--no-fund', ...tarballs, `@types/node@${nodeTypes}`], project);
}

/** @param {string} project */
function checkContents(project) {
  const problems = published.flatMap(({ manifest: { name } }) => {
    const folder = join(project, 'node_modules', name);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return [...checkRanges(manifest), ...checkFiles(folder, manifest)].map((problem) => `${name}: ${problem}`);
  });
  if (problems.length > 0) throw new StepFailed(problems.join('\n'));
}

/**
 * What npm will resolve for a consumer must mean something outside of this workspace. devDependencies are nobody's
 * business there.
 *
 * @param {Record<string, Record<string, string> | undefined>} manifest
 * @returns {string[]}
 */
function checkRanges(manifest) {
  return ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((field) =>
    Object.entries(manifest[field] ?? {})
      .filter(([, range]) => range.includes(':'))
      .map(([name, range]) => `${field} has ${name} ${range}, which means nothing outside of this workspace`),
  );
}

/**
 * @param {string} folder
 * @param {{ exports: Record<string, string | Record<string, string>> }} manifest
 * @returns {string[]}
 */
function checkFiles(folder, manifest) {
  const promised = ['README.md', 'LICENSE', 'CHANGELOG.md'].concat(
    Object.values(manifest.exports).flatMap((target) => (typeof target === 'string' ? target : Object.values(target))),
  );
  const missing = promised.filter((file) => !existsSync(join(folder, file))).map((file) => `${file} was not packed`);
  const stale = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js') && !existsSync(join(folder, 'src', file.replace(/\.js$/, '.ts'))))
    .map((file) => `dist/${file} has no source`);
  return [...missing, ...stale];
}

/**
 * Compiles one file that imports everything, and the programs of the pages: those in TypeScript are run from the result.
 *
 * @param {string} project
 * @param {import('./readme-program.mjs').BrokerAddresses} addresses
 */
async function compile(project, addresses) {
  const types = entryPoints.map((name, i) => `import * as entry${i} from '${name}';\nexport { entry${i} };\n`);
  writeFileSync(join(project, 'everything.ts'), types.join(''));
  for (const { file, program } of programs) {
    mkdirSync(join(project, dirname(file)), { recursive: true });
    writeFileSync(join(project, file), withBrokers(program, addresses).code);
  }
  const include = ['*.ts', '*.md/*.ts'];
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: strictest, include }));
  await command(process.execPath, [compiler, '-p', project], project);

  // As the page has it, for the programs that its reader has put into one folder.
  const page = 'docs/write-a-queue.md';
  const queue = join(project, page.replaceAll('/', '-'));
  writeFileSync(join(queue, 'tsconfig.json'), jsonFileOf(readFileSync(join(root, page), 'utf8'), 'tsconfig.json'));
  await command(process.execPath, [compiler, '-p', queue], project);

  // docs/1-start.md says that what `tsc --init` writes is enough, without @types/node.
  const begun = join(project, 'begun');
  mkdirSync(begun);
  writeFileSync(join(begun, 'package.json'), JSON.stringify({ type: 'module' }));
  const disposed = "import { createDispatcher } from '@nq/core';\nawait using dispatcher = createDispatcher(1);\n";
  writeFileSync(join(begun, 'begun.ts'), `${types.join('')}${disposed}await dispatcher.start();\n`);
  await command(process.execPath, [compiler, '--init'], begun);
  await command(process.execPath, [compiler, '-p', begun, '--skipLibCheck', 'false'], begun);
}

/** @param {string} folder */
async function fetchNode(folder) {
  mkdirSync(folder);
  // The package fetches the binary of this platform in its install script, which newer npms ask to be allowed.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }));
  await command(npm, ['install', '--no-audit', '--no-fund', '--ignore-scripts=false', `node@${oldestNode}`], folder);
  return join(folder, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/**
 * @param {string} project
 * @param {string} node
 * @param {import('./readme-program.mjs').BrokerAddresses} addresses
 */
async function runAll(project, node, addresses) {
  const problems = [];
  // Tests of vitest are run where vitest is: in readmes.test.ts.
  const canRun = (/** @type {import('./readme-program.mjs').Program} */ program) =>
    !needsVitest(program) && brokersFor(program).every((name) => name in addresses);
  const runnable = programs.filter(({ program }) => canRun(program));
  for (const { place, program, file } of runnable) {
    const runs = program.language === 'ts' ? `compiled/${file.replace(/ts$/, 'js')}` : file;
    const result = await capture(node, [runs], project);
    problems.push(...checkRun(program, result).map((problem) => `The program of ${place}: ${problem}`));
  }

  // What CommonJS gets must be what ES modules get: two copies would not know each other's errors.
  const script = `
    const assert = require('node:assert/strict');
    (async () => {
      for (const name of ${JSON.stringify(entryPoints.filter((name) => !needsRunner(name)))}) {
        const required = require(name);
        assert.notEqual(Object.keys(required).length, 0, name + ' exports nothing');
        assert.equal(required, await import(name), name);
      }
    })();`;
  writeFileSync(join(project, 'require.cjs'), script);
  const { code, stderr } = await capture(node, ['require.cjs'], project);
  if (code !== 0) problems.push(`require() of the packages: exit code ${code}\n${stderr}`);
  if (problems.length > 0) throw new StepFailed(problems.join('\n\n'));
}
