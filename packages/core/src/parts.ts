/**
 * Parts for those who implement `MessageQueue` directly instead of writing a `QueueDriver`: what the queues of nq itself
 * are made of. They may change in a minor release.
 *
 * @module
 */
export { within } from './bounded.ts';
export {
  checkArray,
  checkClock,
  checkCount,
  checkFunction,
  checkIds,
  checkMs,
  checkOneOf,
  checkOptions,
  checkPosition,
  checkText,
  describe,
  resolveNack,
  WaitingCheck,
} from './check.ts';
export { decodeSimpleEvent, encodeEventBehind, joinEvent, type SplitEvent, splitEvent } from './cloudevents.ts';
export { eventOf } from './event.ts';
export { Heap } from './heap.ts';
export { noDeadLetters, unsupported } from './unsupported.ts';
export { deliveriesOf } from './iterate.ts';
export { PassingMap } from './passing-map.ts';
export { Ticker } from './ticker.ts';
export { callUncaught } from './uncaught.ts';
export { done, Waiter, WaitingLine, WaitLimits } from './waiting.ts';
