// Runs on Nodes far older than the one it asks for. Old syntax only: see start.mjs.
import { readManifest } from './workspaces.mjs';

/**
 * Why `version` is too old for a range of the form `>=1.2.3`, in words for a person; `undefined` if it is not.
 *
 * @param {string} version as in `process.versions.node`
 * @param {string} range as in `engines.node`
 */
export function nodeTooOld(version, range) {
  const minimum = range.replace('>=', '');
  const has = version.split('.').map(Number);
  const needs = minimum.split('.').map(Number);
  for (let i = 0; i < needs.length; i++) {
    const difference = (has[i] || 0) - (needs[i] || 0);
    if (difference > 0) return undefined;
    if (difference < 0) {
      return (
        'nq needs Node.js ' +
        minimum +
        ' or newer, but this is Node.js ' +
        version +
        '.\n' +
        'Install a newer one from https://nodejs.org, or with a version manager (`nvm install 24`), and try again.'
      );
    }
  }
  return undefined;
}

/**
 * The version of the Node that the person has. After the first run that is not the one this script runs on: npm puts
 * the workspace's own Node first on PATH for its scripts, and tells which one it runs on itself only here.
 *
 * @param {string | undefined} userAgent what npm and pnpm leave in `npm_config_user_agent`
 */
export function hostNodeVersion(userAgent) {
  const match = /\bnode\/v(\d+\.\d+\.\d+)/.exec(userAgent || '');
  return (match && match[1]) || process.versions.node;
}

/** Ends the process with a sentence, not with a syntax error from somewhere inside, where Node is too old. */
export function requireNode() {
  const version = hostNodeVersion(process.env.npm_config_user_agent);
  const problem = nodeTooOld(version, readManifest('.').engines.node);
  if (problem === undefined) return;
  process.stderr.write(problem + '\n');
  process.exit(1);
}
