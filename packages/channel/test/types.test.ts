import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const compiler = path('../node_modules/typescript/bin/tsc');

/** What the compiler says of the program, after `change`; nothing if it compiles. */
async function compile(change: (program: string) => string): Promise<string> {
  // Inside of the package, so that the names of packages mean the same there.
  const folder = await mkdtemp(path('../node_modules/.types-'));
  try {
    await writeFile(join(folder, 'program.ts'), change(await readFile(path('types/typed-dispatcher.ts'), 'utf8')));
    const compilerOptions = { noEmit: true, types: ['node'], typeRoots: [path('../node_modules/@types')] };
    const config = { extends: path('../tsconfig.json'), compilerOptions, include: ['program.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    return await new Promise((resolve) => {
      execFile(process.execPath, [compiler, '-p', folder], (_error, stdout, stderr) => resolve(stdout + stderr));
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('a typed dispatcher, or queue,', () => {
  test('refuses to compile a wrong type, wrong data and missing data, and nothing else', async () => {
    expect(await compile((program) => program)).toBe('');
  });

  test('and this test would notice if it did compile', async () => {
    const allowed = await compile((program) => program.replace("{ reason: 'none' }", '{ total: 1 }'));
    expect(allowed).toContain("Unused '@ts-expect-error' directive");
  });
});
