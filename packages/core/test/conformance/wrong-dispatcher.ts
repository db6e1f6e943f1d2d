import {
  type Clock,
  type createDispatcher,
  type Dispatcher,
  type DispatcherOptions,
  type Handler,
  type HandlerContext,
  type MessageQueue,
  systemClock,
} from '../../src/index.ts';
import { type Alive, changed, type Mutant } from './mutant.ts';

/** What makes the dispatchers of a mutant. */
export type WrongDispatchers = NonNullable<Mutant['dispatchers']>;

/** What is wrong about a dispatcher: what it is given, or what it gives. */
export interface DispatcherChange {
  /** The queue as the dispatcher sees it. */
  readonly queue?: (queue: MessageQueue) => MessageQueue;
  readonly options?: (options: DispatcherOptions) => DispatcherOptions;
  readonly dispatcher?: (dispatcher: Dispatcher) => Dispatcher;
}

/** Dispatchers that are right but for what `change` says. It is asked once for each of them. */
export function wrongDispatcher(
  change: (alive: Alive, parts: { readonly clock: Clock }) => DispatcherChange,
): WrongDispatchers {
  return (correct, alive) => {
    const make = (source: { readonly queue: MessageQueue }, given: DispatcherOptions = {}): Dispatcher => {
      const { queue, options, dispatcher } = change(alive, { clock: given.clock ?? systemClock });
      const made = correct({ queue: queue?.(source.queue) ?? source.queue }, options?.(given) ?? given);
      return dispatcher?.(made) ?? made;
    };
    return make as typeof createDispatcher;
  };
}

/** `dispatcher`, with every handler changed that is registered for a type. */
export function withHandlers(dispatcher: Dispatcher, change: (handler: Handler, type: string) => Handler): Dispatcher {
  const on = (type: string, handler: Handler): (() => void) => dispatcher.on(type, change(handler, type));
  return changed(dispatcher, { on: on as Dispatcher['on'] });
}

/** `context`, with a signal that stays silent. */
export function neverAborts(context: HandlerContext, alive: Alive): HandlerContext {
  context.signal.addEventListener('abort', () => alive());
  return changed(context, { signal: new AbortController().signal });
}

/** Lets time pass. */
export function pass(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(resolve, ms);
  });
}
