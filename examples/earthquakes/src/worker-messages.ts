import type { QueueConfig } from '@nq/core';
import type { Work } from './handling.ts';

/** What a worker process has to do. It is sent, not given as an argument: other users of a machine can read arguments. */
export interface Task {
  readonly queue: string | QueueConfig;
  /** How many events are handled at once. */
  readonly workers: number;
  /** The path of its audit log. */
  readonly audit: string;
}

/** What a worker process is told. */
export type ToWorker =
  | { readonly what: 'begin'; readonly task: Task }
  /** Finish what is in hand, give back the rest, report, and end. */
  | { readonly what: 'end' };

/** What a worker process tells. */
export type FromWorker =
  /** It handles events. */
  | { readonly what: 'begun' }
  | { readonly what: 'say'; readonly text: string }
  /** It cannot go on, and ends. */
  | { readonly what: 'fail'; readonly message: string }
  | { readonly what: 'report'; readonly work: Work }
  /** The last thing that is told. */
  | { readonly what: 'bye' };
