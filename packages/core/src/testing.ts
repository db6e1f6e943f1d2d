/**
 * For tests that own time: a clock that stands still until it is told otherwise, and a queue driver in memory that runs
 * on it.
 *
 * @module
 */
export { memoryDriver, type MemoryDriverOptions } from './testing/memory-driver.ts';
export { virtualClock, type VirtualClock, type VirtualClockOptions } from './testing/virtual-clock.ts';
