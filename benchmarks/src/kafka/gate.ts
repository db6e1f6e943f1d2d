/** What holds back a consumer that would take messages as soon as they are there. Closed at first. */
export class Gate {
  #isOpen = false;
  readonly #waiting: (() => void)[] = [];

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves while it is open. */
  async pass(): Promise<void> {
    while (!this.#isOpen) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Opens it until what `work` does is done. */
  async during(work: () => Promise<unknown>): Promise<void> {
    this.#isOpen = true;
    for (const pass of this.#waiting.splice(0)) pass();
    await work();
    this.#isOpen = false;
  }
}
