import { readFileSync } from 'node:fs';

/** What tells a process from all others, also from a later one with the same pid: `1234-567890`, or the pid alone. */
export function markOf(pid: number): string {
  const startedAt = startOf(pid);
  return startedAt === undefined ? String(pid) : `${pid}-${startedAt}`;
}

/** Whether the process with this mark is still there. */
export function isSameProcess(mark: string): boolean {
  const [pid = '', startedAt] = mark.split('-');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // Another user's process is one as well.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startedAt === undefined || startOf(Number(pid)) === startedAt;
}

/** When it was started, in ticks since the machine was; `undefined` where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    // The 22nd field; the second, the name in parentheses, may hold blanks.
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}
