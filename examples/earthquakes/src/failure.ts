import { isNqError } from '@nq/core';

/** What ends the program with one sentence and an exit code, and without a stack. */
export class Failure extends Error {
  static {
    this.prototype.name = 'Failure';
  }

  /** `2` for a wrong call, `1` for everything else. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'no permission',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links go round in circles',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'there is no space left',
  ENOTDIR: 'a part of its path is not a folder',
  EPERM: 'no permission',
  EROFS: 'the file system is read-only',
};

/** Why the system refused to work on a file, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}

/** What `make` makes. @throws {Failure} in the words of the library, with the exit code of a wrong call for a wrong queue. */
export async function orFailure<Made>(make: () => Made | Promise<Made>): Promise<Made> {
  try {
    return await make();
  } catch (error) {
    const isMisuse = error instanceof TypeError || error instanceof RangeError;
    const isWrongQueue = isMisuse || isNqError(error, 'NQ_CONFIG') || isNqError(error, 'NQ_NOT_INSTALLED');
    throw new Failure(messageOf(error), isWrongQueue ? 2 : 1, error);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
