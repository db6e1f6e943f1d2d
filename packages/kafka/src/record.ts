import { isUtf8 } from 'node:buffer';
import { decodeEvent, type DecodeOptions, isNqError, NqError, type QueueEvent } from '@nq/core';
import { joinEvent } from '@nq/core/parts';
import type { IncomingRecord } from './kafka-driver.ts';

/** In front of the names of attributes (CloudEvents Kafka protocol binding 1.0.2, §3.2.3). */
const prefix = 'ce_';

const contentTypeHeader = 'content-type';

/** The header that an attribute is in. */
export function headerOf(attribute: string): string {
  return headerNames.get(attribute) ?? prefix + attribute;
}

/** The headers of the attributes that most events have: a text that is made for each event costs more than the rest. */
const headerNames: ReadonlyMap<string, string> = new Map([
  ...['specversion', 'id', 'source', 'type', 'time', 'partitionkey'].map((name) => [name, prefix + name] as const),
  ['datacontenttype', contentTypeHeader],
]);
const attributeNames: ReadonlyMap<string, string> = new Map(
  Array.from(headerNames, ([name, header]) => [header, name]),
);

/** What a record holds: an event, or the reason why it is none, without payload. */
export type Decoded = { readonly event: QueueEvent } | { readonly flaw: string };

/**
 * Reads the binary and the structured mode of the CloudEvents Kafka binding, and plain JSON with a `type`, as producers
 * write it that know neither.
 */
export function decodeRecord(record: IncomingRecord, options: DecodeOptions): Decoded {
  try {
    return { event: read(record, options) };
  } catch (error) {
    if (!isNqError(error)) throw error;
    return { flaw: error.message };
  }
}

function read(record: IncomingRecord, options: DecodeOptions): QueueEvent {
  // Each once: of what was fetched they are read when they are asked for.
  const { value, headers } = record;
  if (headers['ce_specversion'] !== undefined) return withKey(readBinary(value, headers), record);
  if (value === null) throw new NqError('NQ_PAYLOAD', 'Cannot read the event: the record has no value');
  return withKey(decodeEvent(textOf(value, 'it'), options), record);
}

function readBinary(value: Buffer | null, headers: IncomingRecord['headers']): QueueEvent {
  const attributes: Record<string, string> = {};
  let contentType = 'application/json';
  for (const name in headers) {
    const isContentType = name.length === contentTypeHeader.length && name.toLowerCase() === contentTypeHeader;
    if (!isContentType && !name.startsWith(prefix)) continue;
    const last = lastOf(headers[name]);
    if (last === undefined) continue;
    if (isContentType) contentType = textOf(last, name);
    else attributes[attributeNames.get(name) ?? name.slice(prefix.length)] = textOf(last, name);
  }
  if (value === null) return joinEvent({ attributes, data: undefined });
  if (!/^application\/(?:json|[^;\s]+\+json)(?:;|$)/i.test(contentType.trim())) {
    return joinEvent({ attributes, data: new Uint8Array(value) });
  }
  return joinEvent({ attributes, data: textOf(value, 'the value') });
}

/** In front of the names of headers that a dead letter or a record of a retry topic has, and its event had not. */
export const ownPrefix = 'nq-';

/** Of a header that is there more than once, the last counts. */
export function lastOf(header: IncomingRecord['headers'][string]): Buffer | string | undefined {
  return Array.isArray(header)
    ? (header as readonly (Buffer | string)[]).at(-1)
    : (header as Buffer | string | undefined);
}

/** The number that a header of ours is, which others may have written: none where it is not a whole one that a number holds. */
export function numberIn(header: IncomingRecord['headers'][string]): number | undefined {
  const text = lastOf(header)?.toString() ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The key of the record, where the event does not say another one. */
function withKey(event: QueueEvent, record: IncomingRecord): QueueEvent {
  if (event.key !== undefined) return event;
  const { key } = record;
  if (key === null) return event;
  const { id, type, data, headers, time } = event;
  const text = key.toString();
  // Written out, for most events have no headers, and spreading costs as much as the rest.
  return headers === undefined ? { id, type, key: text, data, time } : { id, type, key: text, data, headers, time };
}

function textOf(bytes: Buffer | string, what: string): string {
  if (typeof bytes === 'string') return bytes;
  const text = bytes.toString();
  // What is not UTF-8 was replaced: it would not be what was pushed.
  if (text.includes('\u{fffd}') && !isUtf8(bytes))
    throw new NqError('NQ_PAYLOAD', `Cannot read the event: ${what} is not UTF-8`);
  return text;
}
