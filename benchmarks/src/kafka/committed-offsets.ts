/** How far a group has committed a topic that has nothing but messages: its offsets count them. */
export class CommittedOffsets {
  readonly #offsets = new Map<number, number>();
  #tell = (): void => {};

  set(partition: number, offset: number): void {
    this.#offsets.set(partition, offset);
    this.#tell();
  }

  /** Resolves once so many messages are committed, of all since the topic was made. */
  reach(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#tell = () => {
        let sum = 0;
        for (const offset of this.#offsets.values()) sum += offset;
        if (sum >= count) resolve();
      };
      this.#tell();
    });
  }
}
