import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { Failure } from './failure.ts';

/** A Node.js that cases run on. */
export interface NodeRuntime {
  /** Without a `v`. */
  readonly version: string;
  readonly v8: string;
  /** Stays in this process: reports do not say where things are installed. */
  readonly path: string;
}

const fileName = process.platform === 'win32' ? 'node.exe' : 'node';

/**
 * The Nodes to measure on, the oldest first, each version once: those at `paths`, or else the one of the host and the one
 * of the workspace.
 *
 * @throws {Failure} if one does not run.
 */
export function findNodes(paths: readonly string[], workspaceRoot: string): readonly NodeRuntime[] {
  const found = (paths.length > 0 ? paths : [hostNode(), workspaceNode(workspaceRoot)].filter(existsSync)).map(askNode);
  const unique = new Map(found.map((node) => [node.version, node]));
  return [...unique.values()].sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
}

/** The first Node on PATH that does not belong to a workspace: package managers put theirs in front. */
function hostNode(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !isInstalled(folder));
  return folders.map((folder) => join(folder, fileName)).find((path) => existsSync(path)) ?? process.execPath;
}

/** The Node that the tools of the workspace run on, which runs TypeScript as it is. */
export function toolsNode(workspaceRoot: string): string {
  const path = workspaceNode(workspaceRoot);
  return existsSync(path) ? path : process.execPath;
}

function workspaceNode(workspaceRoot: string): string {
  return join(workspaceRoot, 'node_modules', 'node', 'bin', fileName);
}

function isInstalled(folder: string): boolean {
  return folder === '' || folder.split(sep).includes('node_modules');
}

function askNode(path: string): NodeRuntime {
  try {
    const versions = JSON.parse(
      execFileSync(path, ['-p', 'JSON.stringify(process.versions)'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
    return { version: versions.node, v8: versions.v8, path };
  } catch (error) {
    throw new Failure(`Cannot measure on ${path}: it does not run as Node.js`, 2, error);
  }
}
