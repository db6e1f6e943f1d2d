import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The folder `name` of what was fetched from the network, which `fill` makes if it is not there. It appears whole or not
 * at all, also when several processes make it at the same time. It lies in `NQ_TESTBED_CACHE`, or else in the folder
 * `nq-testbed` of the user's cache.
 *
 * @throws what `fill` throws.
 */
export async function cacheFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const cache =
    process.env['NQ_TESTBED_CACHE'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'nq-testbed');
  const folder = join(cache, name);
  if (await exists(folder)) return folder;

  await mkdir(cache, { recursive: true });
  const part = await mkdtemp(join(cache, 'part-'));
  try {
    await fill(part);
    await rename(part, folder);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    // Somebody else was faster, and made the same.
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
