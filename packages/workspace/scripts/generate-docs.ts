// Writes what of the documentation comes from the code; with --check says what is not as it should be instead.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatedDocs } from '../rules/generated-docs.ts';
import { repositoryFiles } from '../rules/repository.ts';
import { root } from './workspaces.mjs';

const now = new Map(repositoryFiles().map(({ path, text }) => [path, text]));
const stale = generatedDocs().filter(({ path, text }) => now.get(path) !== text);

if (process.argv.includes('--check')) {
  for (const { path } of stale) console.error(`${path} is not what the code says: run pnpm docs:generate`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const { path, text } of stale) {
    writeFileSync(join(root, path), text);
    console.log(`Wrote ${path}`);
  }
}
