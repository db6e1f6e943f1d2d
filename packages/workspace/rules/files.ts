import { posix } from 'node:path';
import { exportsEverything } from './imports.ts';
import type { RepositoryFile } from './repository.ts';

const maximumLines = 400;

/** Checks that a source file can be read in one sitting. */
export function checkLength({ path, text }: RepositoryFile): string[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return lines > maximumLines ? [`${path} has ${lines} lines, more than ${maximumLines}`] : [];
}

/** Checks that what is public was decided name by name. */
export function checkNamedExports(file: RepositoryFile): string[] {
  return exportsEverything(file) ? [`${file.path} has \`export *\`: name what is exported`] : [];
}

const addresses: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(?<![\w.~:/-])\/(?:home|Users)\/[\w.-]+\//, 'a path of one machine'],
  [/(?<![\w.~:/-])\/(?:root|work|mnt|workspaces?)\/[\w.-]+/, 'a path of one machine'],
  [/\b[A-Z]:\\Users\\/, 'a path of one machine'],
  [/\b(?:registry|npm)\.[a-z0-9-]+\.[a-z]{2,}\b/, 'the host of a package registry'],
  [/^ *(?:resolution: \{.*)?tarball: /m, 'the address of a tarball'],
];

/** Checks that a file says nothing about the machine it was written on, nor where that machine gets its packages. */
export function checkAddresses({ path, text }: RepositoryFile): string[] {
  return addresses.flatMap(([pattern, what]) => {
    const found = pattern.exec(text);
    if (found === null) return [];
    const line = text.slice(0, found.index).split('\n').length;
    return [`${path}:${line} holds ${what}: ${found[0]}`];
  });
}

/** Checks that the relative links of a Markdown file lead to something in this repository. */
export function checkLinks({ path, text }: RepositoryFile, exists: (path: string) => boolean): string[] {
  if (!path.endsWith('.md')) return [];
  return [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)].flatMap(([, target = '']) => {
    const linked = posix.join(posix.dirname(path), target);
    return exists(linked) ? [] : [`${path} links to ${target}, which is not there`];
  });
}
