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
