import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, exitWith, install, run, StepFailed } from './steps.mjs';
import { readManifest, root, workspaces } from './workspaces.mjs';

const example = 'examples/earthquakes';

/**
 * Runs the example with the Node that the person has, not the one of the workspace: it is what users of the packages
 * will do.
 *
 * @param {readonly string[]} args passed on to the example
 */
export function runExample(args) {
  return exitWith(async () => {
    if (!existsSync(join(root, example, 'package.json'))) {
      throw new StepFailed(`There is nothing to start: ${example} is missing from this checkout.`);
    }
    await install();
    await build(packagesOf(example));

    const main = join(root, example, 'dist/main.js');
    if (!existsSync(main)) throw new StepFailed(`The example cannot start: its build left no ${example}/dist/main.js.`);
    // `node` on PATH may be the workspace's own by now; npm remembers which one the person called it with.
    return run(process.env.npm_node_execpath ?? process.execPath, [main, ...args], {
      // npm runs scripts in the folder of the manifest; a path in `args` is meant from where the person is.
      cwd: process.env.INIT_CWD ?? process.cwd(),
      stdio: 'inherit',
    });
  });
}

/**
 * The packages of this workspace that a package needs, and itself, last.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function packagesOf(folder) {
  const { name, dependencies = {} } = readManifest(folder);
  const ours = workspaces().map(({ manifest }) => manifest.name);
  return [...ours.filter((other) => other in dependencies), name];
}
