// In the order in which an event travels: the event, the queue, the driver, the dispatcher.
export { createEvent, type EventInput, newEventId, type QueueEvent } from './event.ts';
export {
  decodeEvent,
  type DecodeOptions,
  encodeEvent,
  type EncodeOptions,
  type ForeignOptions,
} from './cloudevents.ts';
export {
  errorCodes,
  type ErrorCodeEntry,
  isNqError,
  NqError,
  type NqErrorCode,
  type NqErrorOptions,
} from './errors.ts';
export { type Clock, type ScheduleOptions, systemClock, type Timer } from './clock.ts';
export { type Capabilities, defineCapabilities } from './capabilities.ts';
export {
  type CloseOptions,
  type CloseReport,
  type DeadLetter,
  type DeadLetters,
  type Delivery,
  isSynchronousQueue,
  type MessageQueue,
  type NackOptions,
  type QueueSize,
  type RewindPosition,
  type SynchronousQueue,
  type WaitOptions,
} from './queue.ts';
export { type Gathering, type LeasedEvent, type QueueDriver, type ReturnedLease } from './driver.ts';
export { createQueue, type CreateQueueOptions } from './create-queue.ts';
export { type OptionKind, type ValueFromText } from './queue-option.ts';
export { openQueue, type QueueConfig, type QueueType, registerQueueType } from './registry.ts';
export { createDispatcher } from './dispatcher.ts';
export { type DispatcherSource } from './dispatcher-source.ts';
export {
  type DispatcherCounters,
  type DispatcherOptions,
  type ErrorContext,
  type OnFull,
  type ReportError,
} from './dispatcher-options.ts';
export {
  type Dispatcher,
  type DispatcherStats,
  type DispatchInput,
  type DispatchResult,
  type EventMap,
  type StopOptions,
  type StopReport,
} from './dispatcher-types.ts';
export { type Handler, type HandlerContext, type Middleware } from './handler.ts';
export { deadLetter, type Outcome, retryAfter } from './outcome.ts';
export { type RetryOptions } from './retry.ts';
export { type HistogramSnapshot } from './histogram.ts';
export { type StandardSchema } from './schema.ts';
