/**
 * Tells of a process that ends in the middle of a run. A queue that calls `process.exit(0)` would pass otherwise: nobody is
 * left then to say that nothing was found out.
 */
export class ExitGuard {
  /** What is under way, in words. */
  during = 'its start';
  readonly #queue: string;
  readonly #listener = (code: number): void => {
    if (code === 0) process.exitCode = 1;
    console.error(
      `Conformance of ${this.#queue}: the process ends in the middle of the run, during ${this.during}; there is no report. Does something call process.exit()?`,
    );
  };

  /** @param queue as its harness calls it. */
  constructor(queue: string) {
    this.#queue = queue;
    process.on('exit', this.#listener);
  }

  /** The run is over: the process may end. */
  end(): void {
    process.off('exit', this.#listener);
  }
}
