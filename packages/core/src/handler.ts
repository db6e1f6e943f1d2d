import type { QueueEvent } from './event.ts';
import { Outcome } from './outcome.ts';
import { type StandardSchema, withSchema } from './schema.ts';

/** What a handler can learn about the run it is in. */
export interface HandlerContext {
  /** The number of this hand-out of the event, from 1. */
  readonly attempt: number;
  /** How often this handler was run again in place within this hand-out: 0 for the first run. */
  readonly retry: number;
  /** How long the event has been in the queue, in milliseconds; `undefined` where the queue cannot know. */
  readonly waitedMs: number | undefined;
  /**
   * Aborts when the result of this run no longer counts: `NQ_HANDLER_TIMEOUT` after `handlerTimeoutMs`, `NQ_STOPPED` at
   * the deadline of `stop()`, `NQ_LEASE_LOST` when somebody else may have the event.
   */
  readonly signal: AbortSignal;
}

/**
 * The user's function for one type of event. Returning (or resolving) means done; throwing (or rejecting) means failed;
 * a returned {@link Outcome} steers what becomes of the event.
 */
export type Handler<Data = unknown, Type extends string = string> = (
  event: QueueEvent<Data, Type>,
  context: HandlerContext,
) => unknown;

/**
 * A function around the handlers of every event. It calls `next()` once, at most, to run what is inside of it; if it does
 * not call it, no handler runs and the event counts as handled.
 */
export type Middleware = (event: QueueEvent, context: HandlerContext, next: () => Promise<void>) => unknown;

const none: readonly Handler[] = [];

/** The handlers of each type, with the middleware around them. */
export class Handlers {
  readonly #byType = new Map<string, Handler[]>();
  readonly #middleware: Middleware[] = [];
  /** What is run for a type, made when it is first asked for. */
  readonly #chains = new Map<string, readonly Handler[]>();
  /** Most events are of the type of the one before: comparing costs less than looking up. */
  #lastType: string | undefined;
  #lastChain = none;
  /** The schemas of the data, by type. */
  readonly schemas: ReadonlyMap<string, StandardSchema>;

  constructor(schemas: Readonly<Record<string, StandardSchema>> = {}) {
    this.schemas = new Map(Object.entries(schemas));
  }

  /** @returns a function that removes this registration. */
  add(type: string, handler: Handler): () => void {
    const handlers = this.#byType.get(type);
    if (handlers === undefined) this.#byType.set(type, [handler]);
    else handlers.push(handler);
    this.#forgetChains();
    let registered = true;
    return () => {
      if (registered) this.#remove(type, handler);
      registered = false;
    };
  }

  use(middleware: Middleware): void {
    this.#middleware.push(middleware);
    this.#forgetChains();
  }

  /** What to run for an event of `type`, in this order; nothing if no handler is registered. */
  of(type: string): readonly Handler[] {
    if (type === this.#lastType) return this.#lastChain;
    let chain = this.#chains.get(type);
    if (chain === undefined) {
      chain = this.#chain(type, this.#byType.get(type) ?? none);
      // Unknown types come from outside and may be any number of strings: only known ones are remembered.
      if (chain.length > 0) this.#chains.set(type, chain);
    }
    this.#lastType = type;
    this.#lastChain = chain;
    return chain;
  }

  #remove(type: string, handler: Handler): void {
    const handlers = this.#byType.get(type) ?? [];
    handlers.splice(handlers.indexOf(handler), 1);
    if (handlers.length === 0) this.#byType.delete(type);
    this.#forgetChains();
  }

  #forgetChains(): void {
    this.#chains.clear();
    this.#lastType = undefined;
  }

  #chain(type: string, handlers: readonly Handler[]): readonly Handler[] {
    if (handlers.length === 0) return none;
    const schema = this.schemas.get(type);
    if (this.#middleware.length === 0 && schema === undefined) return [...handlers];
    const wrapped = wrap([...this.#middleware], [...handlers]);
    return [schema === undefined ? wrapped : withSchema(schema, wrapped)];
  }
}

/** One handler that runs `handlers` in order inside `middleware`, the first registered outermost. */
function wrap(middleware: readonly Middleware[], handlers: readonly Handler[]): Handler {
  return async (event, context) => {
    let outcome: unknown;
    const runFrom = async (index: number): Promise<void> => {
      const layer = middleware[index];
      if (layer !== undefined) {
        const result = await layer(event, context, () => runFrom(index + 1));
        if (result instanceof Outcome) outcome = result;
        return;
      }
      for (const handler of handlers) {
        outcome = await handler(event, context);
        if (outcome instanceof Outcome) return;
      }
    };
    await runFrom(0);
    return outcome;
  };
}
