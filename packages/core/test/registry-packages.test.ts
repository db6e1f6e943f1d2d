import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('a queue type that is a package', () => {
  const source = fileURLToPath(new URL('../src/', import.meta.url));
  const root = mkdtempSync(join(tmpdir(), 'nq-registry-'));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const installed = (path: string, manifest: object, files: Record<string, string>) => {
    write(`${path}/package.json`, JSON.stringify({ version: '1.0.0', ...manifest }));
    for (const [file, text] of Object.entries(files)) write(`${path}/${file}`, text);
  };
  const queueType = (tag: string) =>
    `{ type: 'x', options: { n: 'count' }, open: (options) => ({ tag: '${tag}', options }) }`;
  const esm = (tag: string) => `export const queueType = ${queueType(tag)};\n`;
  const main = { type: 'module', exports: './index.js' };

  /** What a program in `folder`, run in `cwd`, gets for each configuration. */
  const run = async (program: string, cwd: string, configs: readonly unknown[], core = source) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(root, program), pathToFileURL(join(core, 'registry.ts')).href, JSON.stringify(configs)],
      // Whoever runs the tests may have packages of the workspace found everywhere.
      { cwd: join(root, cwd), env: { ...process.env, NODE_PATH: '' } },
    );
    return JSON.parse(stdout) as Record<string, unknown>[];
  };

  const program = `
    const { openQueue } = await import(process.argv[2]);
    const results = [];
    for (const config of JSON.parse(process.argv[3])) {
      try {
        results.push(await openQueue(config));
      } catch ({ name, code, message, cause }) {
        results.push({ name, code, message, cause: cause?.message });
      }
    }
    if (globalThis.ran) results.push('ran what is refused');
    console.log(JSON.stringify(results));
  `;

  beforeAll(() => {
    for (const folder of ['app', 'elsewhere', 'core']) write(`${folder}/package.json`, '{ "type": "module" }');
    write('app/main.js', program);
    write('elsewhere/main.js', program);
    const modules = 'app/node_modules';
    installed(`${modules}/@nq/good`, main, { 'index.js': esm('good') });
    installed(
      `${modules}/@nq/import-only`,
      { exports: { '.': { import: './index.mjs' } } },
      { 'index.mjs': esm('import-only') },
    );
    installed(
      `${modules}/@nq/dual`,
      { exports: { '.': { types: './x.d.ts', node: { require: './index.cjs', import: './index.mjs' } } } },
      { 'index.cjs': `exports.queueType = ${queueType('required')};`, 'index.mjs': esm('imported') },
    );
    installed(
      `${modules}/@nq/default`,
      { type: 'module', exports: { default: './index.js' } },
      { 'index.js': esm('default') },
    );
    const either = { exports: { require: './index.cjs', default: './index.mjs' } };
    const files = { 'index.cjs': `exports.queueType = ${queueType('required')};`, 'index.mjs': esm('by default') };
    installed(`${modules}/@nq/either`, either, files);
    installed(`${modules}/old`, { main: './lib.js' }, { 'lib.js': `exports.queueType = ${queueType('old')};` });
    installed(`${modules}/@acme/queue`, main, { 'index.js': esm('acme') });
    installed(`${modules}/@nq/both`, main, { 'index.js': esm('ours') });
    installed(`${modules}/both`, main, { 'index.js': esm('theirs') });
    installed(`${modules}/@nq/no-queue`, main, { 'index.js': 'export const queue = 1;' });
    installed(`${modules}/@nq/half-queue`, main, {
      'index.js': 'export const queueType = { type: "x", options: {} };',
    });
    installed(`${modules}/@acme/no-queue`, main, { 'index.js': '' });
    installed(`${modules}/unrelated`, main, { 'index.js': 'export const queueType = "mine";' });
    installed(`${modules}/@nq/needs`, main, { 'index.js': `import 'the-client'; ${esm('needs')}` });
    installed(`${modules}/@nq/needs-scoped`, main, { 'index.js': `import '@the/client/part'; ${esm('needs')}` });
    installed(`${modules}/@nq/needs-required`, { main: 'index.js' }, { 'index.js': `require('the-client/part');` });
    installed(`${modules}/@nq/broken`, main, { 'index.js': `import './gone.js';` });
    installed(`${modules}/@nq/broken-required`, { main: 'index.js' }, { 'index.js': `require('./gone.js');` });
    installed(`${modules}/@nq/throws`, main, { 'index.js': `throw new Error('at load');` });
    write('app/evil.js', `globalThis.ran = true; ${esm('evil')}`);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const whatWorks = ['good', 'import-only', 'dual', 'default', 'either', 'old', '@acme/queue', '@nq/good', 'both'].map(
    (type) => ({ type }),
  );
  const tags = ['good', 'import-only', 'imported', 'default', 'by default', 'old', 'acme', 'good', 'ours'];

  test('is found from the program that runs, wherever that is, with the conditions of an import', async () => {
    const found = await run('app/main.js', 'elsewhere', whatWorks);
    expect(found.map(({ tag, message }) => tag ?? message)).toEqual(tags);
  });

  test('is found from the folder in which the program runs', async () => {
    const found = await run('elsewhere/main.js', 'app', whatWorks);
    expect(found.map(({ tag, message }) => tag ?? message)).toEqual(tags);
  });

  test('is found beside this package first', async () => {
    cpSync(source, join(root, 'core/src'), { recursive: true });
    installed('core/node_modules/@nq/good', main, { 'index.js': esm('beside core') });
    const found = await run('app/main.js', 'app', [{ type: 'good' }, { type: 'default' }], join(root, 'core/src'));
    expect(found.map(({ tag }) => tag)).toEqual(['beside core', 'default']);
  });

  test('is read as strictly as any other', async () => {
    const [url, config, unknown] = await run('app/main.js', 'app', [
      'good://?n=5',
      { type: 'good', bufferSize: 7, extra: { n: 1 } },
      'good://?m=5',
    ]);
    expect([url, config]).toMatchObject([{ options: { n: 5 } }, { options: { capacity: 7, n: 1 } }]);
    expect(unknown).toMatchObject({ name: 'NqError', code: 'NQ_CONFIG' });
  });

  test('and is not there is NQ_NOT_INSTALLED, with the line that installs it', async () => {
    const found = await run('app/main.js', 'app', [
      { type: 'rabbit' },
      'rabbit://host',
      { type: '@acme/rabbit' },
      { type: 'unrelated' },
      { type: 'fs' },
    ]);
    const line = (name: string) => expect.stringMatching(new RegExp(` Run: npm install ${name}$`)) as unknown;
    expect(found).toMatchObject([
      { code: 'NQ_NOT_INSTALLED', message: line('@nq/rabbit') },
      {
        code: 'NQ_NOT_INSTALLED',
        message: expect.stringMatching(
          /: expected a URL such as .*, got one of the type "rabbit", which is not here; types here are none\. .* run: npm install @nq\/rabbit$/,
        ),
      },
      { code: 'NQ_NOT_INSTALLED', message: line('@acme/rabbit') },
      { code: 'NQ_NOT_INSTALLED', message: line('@nq/unrelated') },
      { code: 'NQ_NOT_INSTALLED', message: line('@nq/fs') },
    ]);
  });

  test('of nq itself is listed where another one is not there, and is not loaded', async () => {
    installed('listed/node_modules/@nq/redis', main, { 'index.js': 'globalThis.ran = true;' });
    write('listed/package.json', '{ "type": "module" }');
    const copy = join(root, 'listed-core/src');
    cpSync(source, copy, { recursive: true });
    const [found, ran] = await run('elsewhere/main.js', 'listed', ['rabbit://host'], copy);
    expect(found?.['message']).toContain('types here are redis. ');
    expect(ran).toBeUndefined();
  });

  test('and whose own dependency is missing is NQ_NOT_INSTALLED, with the line that installs that', async () => {
    const found = await run(
      'app/main.js',
      'elsewhere',
      ['needs', 'needs-scoped', 'needs-required'].map((type) => ({ type })),
    );
    for (const [index, name] of ['the-client', '@the/client', 'the-client'].entries()) {
      expect(found[index]).toMatchObject({ code: 'NQ_NOT_INSTALLED', cause: expect.stringContaining(name) as unknown });
      expect(found[index]?.['message']).toMatch(new RegExp(`npm install ${name}$`));
    }
  });

  test('and is no queue is NQ_CONFIG', async () => {
    const types = ['no-queue', 'half-queue', '@nq/no-queue', '@acme/no-queue'];
    const found = await run(
      'app/main.js',
      'app',
      types.map((type) => ({ type })),
    );
    for (const [index, name] of ['@nq/no-queue', '@nq/half-queue', '@nq/no-queue', '@acme/no-queue'].entries()) {
      expect(found[index]).toMatchObject({ code: 'NQ_CONFIG' });
      expect(found[index]?.['message']).toContain(`the package ${name} is no nq queue`);
    }
  });

  test('and is broken tells its own error, and no line that would not help', async () => {
    const found = await run(
      'app/main.js',
      'app',
      ['broken', 'broken-required', 'throws'].map((type) => ({ type })),
    );
    expect(found.map(({ name, code }) => [name, code])).toEqual([
      ['Error', 'ERR_MODULE_NOT_FOUND'],
      ['Error', 'MODULE_NOT_FOUND'],
      ['Error', undefined],
    ]);
    expect(JSON.stringify(found)).not.toContain('npm install');
  });

  test('is never a path, a URL or a file of a package: such a type is refused, and nothing runs', async () => {
    const evil = join(root, 'app/evil.js');
    const types = [
      './evil.js',
      '../app/evil.js',
      evil,
      pathToFileURL(evil).href,
      'data:text/javascript,globalThis.ran=true',
      'node:fs',
      'node:child_process',
      '@nq/good/index.js',
      'good/index.js',
      '..',
      '.',
      '@nq',
      'Good',
      ' good',
      '#good',
    ];
    const found = await run(
      'app/main.js',
      'app',
      types.map((type) => ({ type })),
    );
    expect(found).toHaveLength(types.length);
    expect(found.map(({ code }) => code)).toEqual(types.map(() => 'NQ_CONFIG'));
  });
});
