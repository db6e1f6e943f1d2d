import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem, type } from 'node:os';

/** What a run was made on. Nothing in it names the machine. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly os: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    // The kernel's own number: what a provider appends to it says nothing about speed.
    os: `${type()} ${/^[\d.]*\d/.exec(release())?.[0] ?? release()}`,
  };
}

/**
 * The versions of what is measured: of `names`, which are ours, as they are installed; of the peers as the manifest of
 * the benchmarks pins them.
 */
export function packageVersions(ours: readonly string[], peers: readonly string[]): Readonly<Record<string, string>> {
  const require = createRequire(import.meta.url);
  const manifest: { dependencies: Record<string, string> } = readJson(new URL('../../package.json', import.meta.url));
  return Object.fromEntries([
    ...ours.map((name) => [name, readJson(require.resolve(`${name}/package.json`)).version]),
    ...peers.map((name) => [name, manifest.dependencies[name]]),
  ]);
}

/**
 * The commit that the working copy in `folder` is at; `undefined` if something but `ignored`, which the run writes itself,
 * was changed since, or there is no git.
 */
export function cleanCommit(folder: string, ignored: string): string | undefined {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const commit = git('rev-parse', '--short=12', 'HEAD');
    return git('status', '--porcelain', '--', '.', `:(exclude)${ignored}`) === '' ? commit : undefined;
  } catch {
    return undefined;
  }
}

function readJson(path: string | URL) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
