// What this repository is made of, read from the manifests that already say it. Old syntax only: see start.mjs.
import fs from 'fs';
import path from 'path';
import { fileURLToPath } from 'url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** @param {string} folder relative to `root` */
export function readManifest(folder) {
  return JSON.parse(fs.readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
}

/** Every package of the workspace: its folder relative to `root`, with forward slashes, and its manifest. */
export function workspaces() {
  const yaml = fs.readFileSync(path.join(root, 'pnpm-workspace.yaml'), 'utf8');
  const block = /^packages:\r?\n((?: +- .*\r?\n)+)/m.exec(yaml);
  if (block === null) throw new Error('Cannot list the workspaces: pnpm-workspace.yaml has no `packages:` block');
  /** @type {string[]} */
  const folders = [];
  for (const line of (block[1] || '').trim().split('\n')) {
    const pattern = line.replace(/^\s*- /, '').trim();
    if (!pattern.endsWith('/*')) folders.push(pattern);
    else folders.push(...subfolders(pattern.slice(0, -2)));
  }
  return folders
    .filter((folder) => fs.existsSync(path.join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(folder) }));
}

/** The workspaces that go to the registry. */
export function publishedWorkspaces() {
  return workspaces().filter((workspace) => workspace.manifest.private !== true);
}

/** @param {string} parent */
function subfolders(parent) {
  if (!fs.existsSync(path.join(root, parent))) return [];
  const names = fs.readdirSync(path.join(root, parent)).sort();
  return names.map((name) => parent + '/' + name);
}
