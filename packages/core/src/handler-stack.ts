import type { HandlerContext } from './handler.ts';

/**
 * Knows whether a handler is on the stack, so that `stop()` can tell that a handler calls it: waiting for that handler
 * would be waiting for itself.
 */
export class HandlerStack {
  #on = false;
  #stopCalled = false;
  #stopper: HandlerContext | undefined;

  /** To be called before a handler. @returns what {@link leave} has to be given. */
  enter(): boolean {
    const before = this.#on;
    this.#on = true;
    return before;
  }

  /** To be called when the handler of `run` has returned, or has thrown. */
  leave(run: HandlerContext, before: boolean): void {
    this.#on = before;
    if (!this.#stopCalled) return;
    this.#stopCalled = false;
    this.#stopper = run;
  }

  /** To be called by `stop()` at once. @returns whether a handler calls it. */
  stopCalled(): boolean {
    // Which one is noted when it returns: noting it before every call would cost as much as finding the handler.
    this.#stopCalled = this.#on;
    return this.#on;
  }

  /** The run whose handler has called `stop()`, once it has returned; it is forgotten here. */
  takeStopper(): HandlerContext | undefined {
    const stopper = this.#stopper;
    this.#stopper = undefined;
    return stopper;
  }
}
