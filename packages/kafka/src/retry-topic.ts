import type { Clock, ReturnedLease } from '@nq/core';
import { copiedRecord } from './copied-record.ts';
import { type HeldRecord, originOf } from './held-partition.ts';
import { type IncomingRecord, noTime, type OutgoingRecord } from './kafka-driver.ts';
import { lastOf, numberIn, ownPrefix } from './record-headers.ts';
import type { TopicProducer } from './topic-producer.ts';

/** The headers that a record has in a retry topic, besides its own. */
const headers = {
  attempts: `${ownPrefix}attempts`,
  delayMs: `${ownPrefix}delay-ms`,
  pushedAt: `${ownPrefix}pushed-at`,
  origin: `${ownPrefix}origin`,
  group: `${ownPrefix}group`,
} as const;
const ours: ReadonlySet<string> = new Set(Object.values(headers));

/** What is written to learn what time it is at the broker, and is nothing else: it has no key and no value. */
const clockHeader = `${ownPrefix}clock`;
const clockRecord: OutgoingRecord = { key: null, value: null, headers: { [clockHeader]: '' } };

/** Whether a record was only written to learn what time it is. */
export function isClockRecord({ key, value, headers: own }: IncomingRecord): boolean {
  // What was given back has others besides.
  return key === null && value === null && own[clockHeader] !== undefined && Object.keys(own).length === 1;
}

/** The longest delay that is written down, in milliseconds: some thirty thousand years. */
const longestMs = 999_999_999_999_999;

/** What is known of a record by what is written on it. */
export interface Parked {
  /** How often it was handed out. */
  readonly attempts: number;
  /** How long nobody gets it, in milliseconds. */
  readonly delayMs: number;
  /** Where it was at first, as `topic/partition/offset`; `undefined` if nobody has written it. */
  readonly origin: string | undefined;
}

/** A record of a retry topic, read. */
export interface ParkedRecord {
  /** As it was before it came there. */
  readonly record: IncomingRecord;
  readonly parked: Parked;
}

/** Where records go that nobody is to get for long, and what they say there. */
export interface RetryTopicParts {
  readonly producer: TopicProducer;
  readonly clock: Clock;
  /** Who gives back, and reads what is there. */
  readonly group: string;
  /** From which delay on, in milliseconds. */
  readonly afterMs: number;
}

/** A topic of what was given back for long: it waits there, and what is behind it in its own topic goes on. */
export class RetryTopic {
  readonly #parts: RetryTopicParts;
  /** How far the time of the brokers is ahead of that of our clock, at least; nobody knows before it was asked for. */
  #aheadMs = -Infinity;

  constructor(parts: RetryTopicParts) {
    this.#parts = parts;
  }

  /** Whether it is the place for what was given back so. */
  takes({ deadLetter, delayMs }: ReturnedLease): boolean {
    return !deadLetter && delayMs >= this.#parts.afterMs;
  }

  /**
   * Puts `held` there, unless that is not wanted any more when its turn comes.
   *
   * @returns whether the topic has it: only then may it be done where it is. @throws {NqError} if it has not, or nobody knows.
   */
  park(held: HeldRecord, delayMs: number, isWanted: () => boolean): Promise<boolean> {
    return this.#parts.producer.add(parkedRecord(held, delayMs, this.#parts.group), isWanted);
  }

  /** Learns what time it is at the brokers, by a record in `partition`, if its records get theirs from them. Never rejects. */
  async learnTime(partition: number): Promise<void> {
    const { producer, clock } = this.#parts;
    const time = await producer.push(partition, [clockRecord]).catch(() => undefined);
    if (time !== undefined) this.#aheadMs = time - clock.now();
  }

  /**
   * For how long a record has been here, in milliseconds. Not for longer than it has, if it has its time from the brokers:
   * our own clock may be an hour ahead of them, and so may that of whoever wrote it.
   */
  ageOf({ time, isBrokerTime }: IncomingRecord): number {
    const { clock } = this.#parts;
    if (!isBrokerTime) return Math.max(0, clock.date() - time);
    // There it is at least as late as when this one was written. Only the first one tells: another broker may be ahead.
    if (this.#aheadMs === -Infinity) this.#aheadMs = time - clock.now();
    return Math.max(0, clock.now() + this.#aheadMs - time);
  }

  close(): void {
    this.#parts.producer.close();
  }
}

/** The record for a retry topic: nobody is to get it for `delayMs` milliseconds. */
function parkedRecord(held: HeldRecord, delayMs: number, group: string): OutgoingRecord {
  const { record, attempts } = held;
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      [headers.attempts]: String(attempts),
      [headers.delayMs]: String(Math.min(longestMs, Math.ceil(delayMs))),
      [headers.pushedAt]: String(Math.floor(record.time)),
      [headers.origin]: originOf(held),
      [headers.group]: group,
    },
  };
}

/** Whether somebody else has given a record back, who has the same retry topic: another group, or one of another topic. */
export function isOfOthers(parked: IncomingRecord, { topic, group }: { topic: string; group: string }): boolean {
  const giver = lastOf(parked.headers[headers.group])?.toString();
  if (giver !== undefined && giver !== group) return true;
  const [, place] =
    /^([a-zA-Z0-9._-]+)\/\d+\/\d+$/.exec(lastOf(parked.headers[headers.origin])?.toString() ?? '') ?? [];
  return place !== undefined && place !== topic;
}

/** How a record of a retry topic is read. */
export interface Reading {
  /** Whose retries they are. */
  readonly topic: string;
  /** For how long it has been there, in milliseconds. */
  readonly ageMs: number;
}

/**
 * The record as it was before it came into a retry topic, and what the topic says of it. Its delay counts from when it was
 * written.
 */
export function readParked(parked: IncomingRecord, { topic, ageMs }: Reading): ParkedRecord {
  const record = copiedRecord(parked);
  const own = Object.entries(record.headers).filter(([name]) => !ours.has(name));
  const origin = lastOf(parked.headers[headers.origin])?.toString() ?? '';
  return {
    record: {
      ...record,
      headers: Object.fromEntries(own),
      // Of a record that had none, no number says when it was pushed.
      time:
        parked.headers[headers.pushedAt] === undefined
          ? parked.time
          : (numberIn(parked.headers[headers.pushedAt]) ?? noTime),
    },
    parked: {
      attempts: numberIn(parked.headers[headers.attempts]) ?? 0,
      delayMs: Math.max(0, (numberIn(parked.headers[headers.delayMs]) ?? 0) - ageMs),
      // Nobody else's: it becomes the name of a dead letter.
      origin:
        origin.startsWith(`${topic}/`) && /^\/\d{1,10}\/\d{1,16}$/.test(origin.slice(topic.length))
          ? origin
          : undefined,
    },
  };
}
