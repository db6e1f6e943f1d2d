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
  readonly #forUnknown: Handler[] = [];
  readonly #middleware: Middleware[] = [];
  /** What is run for a type, made when it is first asked for. */
  readonly #chains = new Map<string, readonly Handler[]>();
  #unknownChain: readonly Handler[] | undefined;
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
    const handlers = this.#byType.get(type) ?? [];
    this.#byType.set(type, handlers);
    return this.#register(handlers, handler);
  }

  /** For the types that have no handler of their own. @returns a function that removes this registration. */
  addForUnknown(handler: Handler): () => void {
    return this.#register(this.#forUnknown, handler);
  }

  use(middleware: Middleware): void {
    this.#middleware.push(middleware);
    this.#forgetChains();
  }

  /** What to run for an event of `type`, in this order; nothing if no handler is registered. */
  of(type: string): readonly Handler[] {
    if (type === this.#lastType) return this.#lastChain;
    this.#lastChain = this.#chains.get(type) ?? this.#makeChain(type);
    this.#lastType = type;
    return this.#lastChain;
  }

  #register(handlers: Handler[], handler: Handler): () => void {
    handlers.push(handler);
    this.#forgetChains();
    let registered = true;
    return () => {
      if (!registered) return;
      registered = false;
      handlers.splice(handlers.indexOf(handler), 1);
      this.#forgetChains();
    };
  }

  #forgetChains(): void {
    this.#chains.clear();
    this.#unknownChain = undefined;
    this.#lastType = undefined;
  }

  #makeChain(type: string): readonly Handler[] {
    const own = this.#byType.get(type) ?? none;
    if (own.length === 0) {
      // Types that nobody has registered come from outside and may be any number of strings: they are not remembered.
      this.#unknownChain ??= this.#wrap(this.#forUnknown, undefined);
      return this.#unknownChain;
    }
    const chain = this.#wrap(own, this.schemas.get(type));
    this.#chains.set(type, chain);
    return chain;
  }

  #wrap(handlers: readonly Handler[], schema: StandardSchema | undefined): readonly Handler[] {
    const plain = this.#middleware.length === 0 && schema === undefined;
    if (handlers.length === 0 || plain) return [...handlers];
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
