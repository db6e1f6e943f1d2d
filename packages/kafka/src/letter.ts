import type { DeadLetter } from '@nq/core';
import { EventReader } from './event-reader.ts';
import { setHeader, timeOf } from './fetched-record.ts';
import { type HeldRecord, originOf } from './held-partition.ts';
import type { IncomingRecord, OutgoingRecord } from './kafka-driver.ts';
import { lastOf, numberIn, ownPrefix } from './record-headers.ts';

/** The type under which a dead letter that is no event is shown; its data are its bytes. */
const undecodableType = 'nq.undecodable';

/** Why a record has died. */
export interface Death {
  readonly reason: string;
  /** How often it was handed out. */
  readonly attempts: number;
  /** In milliseconds since the Unix epoch. */
  readonly deadAt: number;
}

/** A dead letter as the topic has it. */
export interface Letter {
  /**
   * Its key: whose it is and where the record was, as `group:topic/partition/offset`. One that was written twice has the
   * same one.
   */
  readonly name: string;
  readonly shown: DeadLetter;
  /** What is pushed when it is replayed. */
  readonly record: OutgoingRecord;
}

/** Whose letters they are. */
export interface LettersOwner {
  /** Where the records were that have died. */
  readonly topics: readonly string[];
  readonly group: string;
}

/**
 * The record for the dead-letter topic: what has died as it was, with headers that say why and where it comes from. Its key
 * is its name, so that a topic that is compacted keeps it until it is removed.
 */
export function letterOf(held: HeldRecord, group: string, { reason, attempts, deadAt }: Death): OutgoingRecord {
  const { key, value, headers } = held.record;
  return {
    key: Buffer.from(`${group}:${originOf(held)}`),
    // A record without a value would remove itself.
    value: value ?? Buffer.alloc(0),
    headers: {
      ...headers,
      [`${ownPrefix}reason`]: reason,
      [`${ownPrefix}attempts`]: String(attempts),
      [`${ownPrefix}dead-at`]: String(Math.floor(deadAt)),
      ...(key === null ? {} : { [`${ownPrefix}key`]: key }),
      ...(value === null ? { [`${ownPrefix}no-value`]: '1' } : {}),
    },
  };
}

/** What removes the letter of that name. */
export function removalOf(name: string): OutgoingRecord {
  return { key: Buffer.from(name), value: null, headers: {} };
}

/** The name of the letter that a record of the dead-letter topic is, or removes. */
export function nameOf({ key, offset }: IncomingRecord): string {
  return key?.toString() ?? `@${offset}`;
}

/** A name that nq gives: the group, and the place of the record. */
const ownName = /^(.*):([a-zA-Z0-9._-]+)(\/\d+\/\d+)$/s;

/** Whether a letter is not for somebody else; one that others have put there is for everybody. */
export function isFor({ topics, group }: LettersOwner, name: string): boolean {
  const [, otherGroup, otherTopic] = ownName.exec(name) ?? [];
  return otherTopic === undefined || (otherGroup === group && topics.includes(otherTopic));
}

/** The place of the record that a letter is named after. */
function placeOf(name: string): string {
  const [, , topic, place] = ownName.exec(name) ?? [];
  return topic === undefined ? name : `${topic}${place}`;
}

/** The letter in a record of the dead-letter topic that is no removal. */
export function readLetter(record: IncomingRecord, foreignKey: string | undefined): Letter {
  const name = nameOf(record);
  const own: Record<string, Buffer | string> = {};
  const headers: Record<string, Buffer | string> = {};
  for (const [header, raw] of Object.entries(record.headers)) {
    const value = lastOf(raw);
    if (value === undefined) continue;
    if (header.startsWith(ownPrefix)) setHeader(own, header.slice(ownPrefix.length), value);
    else setHeader(headers, header, value);
  }
  const keyOf = own['key'];
  const key = keyOf === undefined ? null : Buffer.from(keyOf);
  const value = own['no-value'] === undefined ? record.value : null;
  const decoded = new EventReader({ foreign: { key: foreignKey } }).read({ ...record, key, value, headers });
  const deadAt = timeOf(numberIn(own['dead-at']) ?? record.time);
  const event =
    'flaw' in decoded
      ? { id: placeOf(name), type: undecodableType, data: new Uint8Array(record.value ?? []), time: deadAt }
      : decoded.event;
  const attempts = numberIn(own['attempts']) ?? 0;
  const reason = String(own['reason'] ?? 'it was not put there by nq');
  return { name, shown: { event, attempts, reason, deadAt }, record: { key, value, headers } };
}
