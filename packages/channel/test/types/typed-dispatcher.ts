// Compiled by types.test.ts and never run. Where an error is expected and there is none, the compiler says so.
import { createDispatcher, type MessageQueue, type QueueEvent, type StandardSchema } from '@nq/core';

interface Orders {
  readonly 'order.created': { readonly total: number };
  readonly 'order.cancelled': { readonly reason: string };
  readonly ping: undefined;
}

const typed = createDispatcher<Orders>(10);

// Handlers get the data of their type.
typed.on('order.created', (event) => {
  const same: QueueEvent<{ readonly total: number }, 'order.created'> = event;
  const total: number = event.data.total;
  return [same, total];
});
// @ts-expect-error -- there is no such type
typed.on('order.deleted', () => {});
// @ts-expect-error -- the data has no such member
typed.on('order.created', (event) => event.data.reason);

// Only events with the data of their type can be dispatched.
void typed.dispatch({ type: 'order.created', data: { total: 1 }, key: 'k' });
void typed.dispatch({ type: 'ping' });
// @ts-expect-error -- the data is of another type of event
void typed.dispatch({ type: 'order.created', data: { reason: 'none' } });
// @ts-expect-error -- the data is missing
void typed.dispatch({ type: 'order.created' });
// @ts-expect-error -- total must be a number
void typed.dispatch({ type: 'order.created', data: { total: '1' } });
// @ts-expect-error -- there is no such type
void typed.dispatch({ type: 'order.deleted', data: {} });

// A schema makes the data of its type.
declare const total: StandardSchema<{ readonly total: number }>;
createDispatcher<Orders>(10, { schemas: { 'order.created': total } });
// @ts-expect-error -- there is no such type
createDispatcher<Orders>(10, { schemas: { 'order.creatd': total } });
// @ts-expect-error -- it makes the data of another type
createDispatcher<Orders>(10, { schemas: { 'order.cancelled': total } });

// Without a map, everything can be dispatched, and the data is unknown.
const untyped = createDispatcher(10);
void untyped.dispatch({ type: 'anything', data: 5 });
createDispatcher(10, { schemas: { anything: total } });
untyped.on('anything', (event) => {
  // @ts-expect-error -- unknown data has no members
  return event.data.total;
});

// A queue has the type of its data.
declare const orders: MessageQueue<{ readonly total: number }>;
void orders.push({ type: 'order.created', data: { total: 1 } });
// @ts-expect-error -- the data is missing
void orders.push({ type: 'order.created' });
// @ts-expect-error -- the data is missing from one of them
void orders.pushMany([{ type: 'order.created', data: { total: 1 } }, { type: 'order.created' }]);
// @ts-expect-error -- total must be a number
void orders.push({ type: 'order.created', data: { total: '1' } });
declare const pings: MessageQueue<undefined>;
void pings.push({ type: 'ping' });
declare const anything: MessageQueue;
void anything.push({ type: 'ping' });

// What is passed on may be undefined: an optional key, an option of the caller's own options.
export function forward(key: string | undefined, timeoutMs: number | undefined) {
  return untyped.dispatch({ type: 'anything', key, data: 5 }, { timeoutMs });
}
export const stopped = (deadlineMs: number | undefined) => untyped.stop({ deadlineMs });
