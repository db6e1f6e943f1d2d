import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/workspaces.mjs';

/** A file of this repository. */
export interface RepositoryFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const notOurs = new Set(['.git', '.turbo', 'coverage', 'dist', 'node_modules', 'test-results']);

/**
 * The files that are, or are about to be, under version control. In a copy without git (an archive), everything that
 * is not installed or generated.
 */
export function repositoryFiles(): readonly RepositoryFile[] {
  const paths = existsSync(join(root, '.git')) ? listWithGit() : listFolder('');
  return paths.filter((path) => existsSync(join(root, path))).map(readRepositoryFile);
}

/** The TypeScript sources that packages publish. */
export function publishedSources(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  return files.filter(({ path }) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path));
}

export function readRepositoryFile(path: string): RepositoryFile {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

function listWithGit(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
}

function listFolder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (!entry.isDirectory()) return [path];
    return notOurs.has(entry.name) ? [] : listFolder(path);
  });
}
