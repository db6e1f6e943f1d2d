import type { ReturnedLease } from '@nq/core';
import { type HandOut, type HeldRecord, originOf } from './held-partition.ts';
import type { IncomingRecord, OutgoingRecord } from './kafka-driver.ts';
import { lastOf } from './record.ts';
import type { TopicProducer } from './topic-producer.ts';

/** The headers that a record has in a retry topic, besides its own. */
const headers = {
  attempts: 'nq-attempts',
  delayMs: 'nq-delay-ms',
  pushedAt: 'nq-pushed-at',
  origin: 'nq-origin',
} as const;
const ours: ReadonlySet<string> = new Set(Object.values(headers));

/** What is known of a record by what is written on it. */
export interface Parked {
  /** How often it was handed out. */
  readonly attempts: number;
  /** How long nobody gets it, in milliseconds. */
  readonly delayMs: number;
  /** Where it was at first, as `topic/partition/offset`; `undefined` if nobody has written it. */
  readonly origin: string | undefined;
}

/** Where records go that nobody is to get for long, and what they say there. */
export interface RetryTopicParts {
  readonly producer: TopicProducer;
  /** From which delay on, in milliseconds. */
  readonly afterMs: number;
}

/** A topic of what was given back for long: it waits there, and what is behind it in its own topic goes on. */
export class RetryTopic {
  readonly #parts: RetryTopicParts;

  constructor(parts: RetryTopicParts) {
    this.#parts = parts;
  }

  /** Whether it is the place for what was given back so. */
  takes({ deadLetter, delayMs }: ReturnedLease): boolean {
    return !deadLetter && delayMs >= this.#parts.afterMs;
  }

  /** Resolves once the topic has them: only then may they be done where they are. @throws {NqError} if it may not. */
  park(returns: readonly ReturnedLease[]): Promise<void> {
    const records = returns.map(({ receipt, delayMs }) => parkedRecord((receipt as HandOut).held, delayMs));
    return this.#parts.producer.pushEach(records);
  }

  close(): void {
    this.#parts.producer.close();
  }
}

/** The record for a retry topic: nobody is to get it for `delayMs` milliseconds. */
function parkedRecord(held: HeldRecord, delayMs: number): OutgoingRecord {
  const { record, attempts } = held;
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      [headers.attempts]: String(attempts),
      [headers.delayMs]: String(Math.ceil(delayMs)),
      [headers.pushedAt]: String(Math.floor(record.time)),
      [headers.origin]: originOf(held),
    },
  };
}

/** When a record of a retry topic is read. */
export interface ReadingTime {
  /** By the clock of this machine, in milliseconds since the Unix epoch. */
  readonly date: number;
  /** It was written within so many milliseconds. */
  readonly sinceMs: number;
}

/**
 * The record as it was before it came into a retry topic, and what the topic says of it. What is left of its delay counts
 * from when it was written, by the clocks of two machines; by one alone if it has come since everything else was read.
 */
export function readParked(
  parked: IncomingRecord,
  { date, sinceMs }: ReadingTime,
): { readonly record: IncomingRecord; readonly parked: Parked } {
  const own = Object.fromEntries(Object.entries(parked.headers).filter(([name]) => !ours.has(name)));
  const number = (name: string): number | undefined => {
    const text = lastOf(parked.headers[name])?.toString() ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  };
  const passedMs = Math.min(sinceMs, Math.max(0, date - parked.time));
  const origin = lastOf(parked.headers[headers.origin])?.toString() ?? '';
  return {
    record: { ...parked, headers: own, time: number(headers.pushedAt) ?? parked.time },
    parked: {
      attempts: number(headers.attempts) ?? 0,
      delayMs: Math.max(0, (number(headers.delayMs) ?? 0) - passedMs),
      origin: /^[\w.-]{1,249}\/\d{1,10}\/\d{1,16}$/.test(origin) ? origin : undefined,
    },
  };
}
