/** Works that are done one after the other, so that Redis has to remember only the last request of its kind. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins `work` when those before it have ended, whatever came of them. */
  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
