// What would be published, and commands that use it as a stranger would.
import { readdirSync } from 'node:fs';
import { join, parse } from 'node:path';
import { run, StepFailed } from './steps.mjs';
import { root } from './workspaces.mjs';

export const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/**
 * Packs packages with plain npm.
 *
 * @param {readonly string[]} sources the folders of the packages, relative to the root
 * @param {string} folder where the tarballs go
 * @returns {Promise<string[]>} their files, in the order of `sources`
 */
export async function pack(sources, folder) {
  const files = [];
  for (const source of sources) {
    const before = new Set(readdirSync(folder));
    await command(npm, ['pack', '--pack-destination', folder], join(root, source));
    files.push(...readdirSync(folder).filter((file) => !before.has(file)));
  }
  return files.map((file) => join(folder, file));
}

/**
 * Runs a command that has to succeed.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<string>} what it printed
 */
export async function command(file, args, cwd) {
  const { code, stdout, stderr } = await capture(file, args, cwd);
  if (code === 0) return stdout;
  throw new StepFailed(`${parse(file).name} ${args[0]} failed with exit code ${code}.`, stdout + stderr);
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export async function capture(file, args, cwd) {
  const printed = { stdout: '', stderr: '' };
  const code = await run(file, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: file.endsWith('.cmd'),
    onOutput: (text, stream) => (printed[stream] += text),
  });
  return { code, ...printed };
}
