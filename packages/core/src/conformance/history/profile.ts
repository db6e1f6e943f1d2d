import type { HistoryCounts } from './check-history.ts';

/** What happens to a queue, and how much of it. */
export interface Profile {
  readonly producers: number;
  readonly consumers: number;
  /** How many events of each producer are accepted at the least. */
  readonly events: number;
  readonly keys: number;
  /** How many events each producer begins with at once: together more than fit, where a queue is to be full. */
  readonly volley: number;
  /** How long a consumer works on an event at the most, in milliseconds. */
  readonly workMs: number;
  /** Whether everything is pushed before anybody consumes: then order can be told best. */
  readonly backlog: boolean;
  /** How often connections are cut while events are pushed; 0 for a workload without faults. */
  readonly cuts: number;
  /** How much must have happened for the history to prove anything. */
  readonly minimum: Partial<HistoryCounts>;
}

/** A queue that is full again and again, with consumers that come and go. */
export const bounded: Profile = {
  producers: 3,
  consumers: 3,
  events: 25,
  keys: 3,
  volley: 4,
  workMs: 12,
  backlog: false,
  cuts: 0,
  minimum: { stored: 60, redeliveries: 1, acknowledged: 50 },
};

/** A long backlog, and one consumer: nothing overlaps, so order is told exactly. */
export const deep: Profile = {
  producers: 1,
  consumers: 1,
  events: 80,
  keys: 3,
  volley: 1,
  workMs: 0,
  backlog: true,
  cuts: 0,
  minimum: { stored: 30, acknowledged: 30 },
};

/** Connections that are cut, and consumers that crash. */
export const disturbed: Profile = {
  producers: 3,
  consumers: 3,
  events: 10,
  keys: 3,
  volley: 1,
  workMs: 4,
  backlog: false,
  cuts: 8,
  minimum: { stored: 20, acknowledged: 20, redeliveries: 1, cutsFelt: 4 },
};
