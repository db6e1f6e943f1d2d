import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** The path of a program on PATH; `undefined` if there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Look in the next folder.
    }
  }
  return undefined;
}

/** Runs the first of these programs that is on PATH, as {@link runProgram} does; `undefined` if there is none. */
export async function runFirst(names: readonly string[], args: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = await findProgram(name);
    if (path !== undefined) return runProgram(path, args);
  }
  return undefined;
}

/**
 * Runs a program to its end and resolves what it printed, standard error included.
 *
 * @throws {Error} with what it printed, if it fails or takes longer than `timeoutMs`.
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  { timeoutMs = 20_000, cwd }: { readonly timeoutMs?: number; readonly cwd?: string } = {},
): Promise<string> {
  try {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', cwd } as const;
    const { stdout, stderr } = await promisify(execFile)(command, args, options);
    return stdout + stderr;
  } catch (error) {
    const { killed, message } = error as Error & { killed?: boolean };
    throw new Error(killed === true ? `${command} took longer than ${timeoutMs} ms` : message, { cause: error });
  }
}
