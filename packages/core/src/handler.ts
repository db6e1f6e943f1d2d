import { NqError } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { HandlerStack } from './handler-stack.ts';
import { isOutcome, Outcome } from './outcome.ts';
import { checkData, type StandardSchema } from './schema.ts';

/** What a handler can learn about the run it is in. */
export interface HandlerContext {
  /** The number of this hand-out of the event, from 1. */
  readonly attempt: number;
  /**
   * How often this handler was run again in place within this hand-out: 0 for its first run. With middleware or a schema
   * all handlers of the type are run again together.
   */
  readonly retry: number;
  /** How long ago the event was pushed, in milliseconds, whenever it is read; `undefined` if nobody knows. */
  readonly waitedMs: number | undefined;
  /**
   * Aborts when the result of this run no longer counts: `NQ_HANDLER_TIMEOUT` after `handlerTimeoutMs`, `NQ_STOPPED` at
   * the deadline of `stop()`, `NQ_LEASE_LOST` when somebody else may have the event, `NQ_CLOSED` when its queue was closed.
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
 * A function around the handlers of every event. It calls `next()` once, at most (the second call throws), to run what is
 * inside of it, and awaits it or returns it: it resolves with the outcome that a handler has returned, if one has. If it
 * does not call it, no handler runs and the event counts as handled. What it throws is a failure; what `next()` throws and
 * it catches is none.
 */
export type Middleware = (
  event: QueueEvent,
  context: HandlerContext,
  next: () => Promise<Outcome | undefined>,
) => unknown;

/** A handler that is registered, possibly not the only time. */
interface Registration {
  readonly handler: Handler;
}

const none: readonly Handler[] = [];

/** The handlers of each type, with the middleware around them. */
export class Handlers {
  readonly #byType = new Map<string, Registration[]>();
  readonly #forUnknown: Registration[] = [];
  readonly #middleware: Middleware[] = [];
  /** What is run for a type, made when it is first asked for. */
  readonly #chains = new Map<string, readonly Handler[]>();
  #unknownChain: readonly Handler[] | undefined;
  /** Most events are of the type of the one before: comparing costs less than looking up. */
  #lastType: string | undefined;
  #lastChain = none;
  /** The schemas of the data, by type. */
  readonly schemas: ReadonlyMap<string, StandardSchema>;

  readonly #stack: HandlerStack;

  constructor(stack: HandlerStack, schemas: Readonly<Record<string, StandardSchema>> = {}) {
    this.#stack = stack;
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

  #register(registrations: Registration[], handler: Handler): () => void {
    const registration: Registration = { handler };
    registrations.push(registration);
    this.#forgetChains();
    return () => {
      const place = registrations.indexOf(registration);
      if (place === -1) return;
      registrations.splice(place, 1);
      this.#forgetChains();
    };
  }

  #forgetChains(): void {
    this.#chains.clear();
    this.#unknownChain = undefined;
    this.#lastType = undefined;
  }

  #makeChain(type: string): readonly Handler[] {
    const own = this.#byType.get(type) ?? [];
    if (own.length === 0) {
      // Types that nobody has registered come from outside and may be any number of strings: they are not remembered.
      this.#unknownChain ??= this.#wrap(this.#forUnknown, undefined);
      return this.#unknownChain;
    }
    const chain = this.#wrap(own, this.schemas.get(type));
    this.#chains.set(type, chain);
    return chain;
  }

  #wrap(registrations: readonly Registration[], schema: StandardSchema | undefined): readonly Handler[] {
    const handlers = registrations.map(({ handler }) => handler);
    const plain = this.#middleware.length === 0 && schema === undefined;
    if (handlers.length === 0 || plain) return handlers;
    const wrapped = wrap([...this.#middleware], handlers, this.#stack);
    return [schema === undefined ? wrapped : withSchema(schema, wrapped)];
  }
}

/** `handler`, given what `schema` makes of the data. Data that does not fit is given up: it will not fit next time. */
function withSchema(schema: StandardSchema, handler: Handler): Handler {
  return async (event, context) => {
    let data: unknown;
    try {
      data = await checkData(schema, event.type, event.data);
    } catch (error) {
      if (error instanceof NqError) return new Outcome('dead-letter', 0, error.message);
      throw error;
    }
    return handler({ ...event, data }, context);
  };
}

/** One handler that runs `handlers` in order inside `middleware`, the first registered outermost. */
function wrap(middleware: readonly Middleware[], handlers: readonly Handler[], stack: HandlerStack): Handler {
  return async (event, context) => {
    let outcome: Outcome | undefined;
    const call = (handler: Handler): unknown => {
      const before = stack.enter();
      try {
        return handler(event, context);
      } finally {
        stack.leave(context, before);
      }
    };
    const runFrom = async (index: number): Promise<void> => {
      const layer = middleware[index];
      if (layer !== undefined) {
        const inside = new Inside(async () => {
          await runFrom(index + 1);
          return outcome;
        });
        const result = await layer(event, context, inside.next);
        // A layer that has not waited for what is inside of it must not end the event before it.
        if (!inside.ended) await inside.promise;
        if (isOutcome(result)) outcome = result;
        return;
      }
      for (const handler of handlers) {
        const result = await call(handler);
        if (!isOutcome(result)) continue;
        outcome = result;
        return;
      }
    };
    await runFrom(0);
    return outcome;
  };
}

/** What is inside of a middleware, run when it asks for it. */
class Inside {
  promise: Promise<Outcome | undefined> | undefined;
  ended = true;
  readonly next: () => Promise<Outcome | undefined>;

  constructor(run: () => Promise<Outcome | undefined>) {
    this.next = () => {
      if (this.promise !== undefined) throw new TypeError('A middleware has called next() twice');
      this.ended = false;
      this.promise = run().finally(() => (this.ended = true));
      return this.promise;
    };
  }
}
