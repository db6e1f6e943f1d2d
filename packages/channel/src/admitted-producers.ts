/** A producer that is told when its event has been stored. */
interface Producer {
  resolve(): void;
}

/**
 * Producers that waited for room and whose events are in the queue by now. They go on together, once per turn of the
 * event loop, so that they fill the queue in one go and timers and I/O always get their turn.
 */
export class AdmittedProducers {
  #producers: Producer[] = [];
  readonly #release = (): void => this.release();

  add(producer: Producer): void {
    if (this.#producers.push(producer) === 1) setImmediate(this.#release);
  }

  /** Tells them all now. */
  release(): void {
    const producers = this.#producers;
    this.#producers = [];
    for (const producer of producers) producer.resolve();
  }
}
