import { isUtf8 } from 'node:buffer';
import { decodeEvent, type DecodeOptions, isNqError, NqError, type QueueEvent } from '@nq/core';
import { joinEvent } from '@nq/core/parts';
import { FetchedRecord, longestKept, mostKept, setHeader } from './fetched-record.ts';
import type { IncomingRecord } from './kafka-driver.ts';
import { attributeIn, contentTypeHeader, lastOf } from './record-headers.ts';

/** What a record holds: an event, or the reason why it is none, without payload. */
export type Decoded = { readonly event: QueueEvent } | { readonly flaw: string };

/** What headers say of an event, by attributes; and {@link contentTypeHeader}. Bytes where they are not ASCII. */
type Attributes = Record<string, Buffer | string | undefined>;

/** All that most events have at once: an object that grows costs as much as the rest. */
function newAttributes(): Attributes {
  return {
    specversion: undefined,
    id: undefined,
    source: undefined,
    type: undefined,
    time: undefined,
    partitionkey: undefined,
    [contentTypeHeader]: undefined,
  };
}

/** The header that was read last at one place among those of its record. */
interface Kept {
  readonly name: string;
  /** As {@link attributeIn}. */
  readonly attribute: string | undefined;
  value: string;
}

/**
 * Reads events: in the binary and the structured mode of the CloudEvents Kafka binding, and as plain JSON with a `type`, as
 * producers write it that know neither.
 */
export class EventReader {
  readonly #options: DecodeOptions;
  readonly #kept: Kept[] = [];

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  read(record: IncomingRecord): Decoded {
    try {
      return { event: withKey(this.#eventIn(record), record) };
    } catch (error) {
      if (!isNqError(error)) throw error;
      return { flaw: error.message };
    }
  }

  #eventIn(record: IncomingRecord): QueueEvent {
    const attributes = record instanceof FetchedRecord ? this.#attributesOf(record) : attributesIn(record.headers);
    if (attributes['specversion'] !== undefined) return joinBinary(attributes, record, this.#options);
    const text = valueOf(record, 'it');
    if (text === null) throw new NqError('NQ_PAYLOAD', 'Cannot read the event: the record has no value');
    return decodeEvent(text, this.#options);
  }

  /** As {@link attributesIn}, without an object of all headers, which costs more than the rest. */
  #attributesOf(record: FetchedRecord): Attributes {
    const attributes = newAttributes();
    const reader = record.headersReader();
    const count = reader.varint();
    for (let place = 0; place < count; place++) {
      let kept = this.#kept[place];
      const name = reader.varintText(kept?.name);
      if (kept?.name !== name) {
        kept = { name, attribute: attributeIn(name), value: '' };
        if (place < mostKept && name.length <= longestKept) this.#kept[place] = kept;
      }
      if (kept.attribute === undefined) {
        reader.passBytes();
        continue;
      }
      const value = reader.varintTextOrBytes(kept.value);
      // A header may have no value, which says as much as one that is not there.
      if (value === null) continue;
      if (typeof value === 'string' && value.length <= longestKept) kept.value = value;
      setHeader(attributes, kept.attribute, value);
    }
    return attributes;
  }
}

function attributesIn(headers: IncomingRecord['headers']): Attributes {
  const attributes = newAttributes();
  for (const name in headers) {
    const [attribute, value] = [attributeIn(name), lastOf(headers[name])];
    if (attribute !== undefined && value !== undefined) setHeader(attributes, attribute, value);
  }
  return attributes;
}

const json = 'application/json';

function joinBinary(given: Attributes, record: IncomingRecord, options: DecodeOptions): QueueEvent {
  const attributes = textsOf(given);
  const contentType = attributes[contentTypeHeader] ?? json;
  attributes[contentTypeHeader] = undefined;
  if (contentType === json || /^application\/(?:json|[^;\s]+\+json)(?:;|$)/i.test(contentType.trim())) {
    return joinEvent({ attributes, data: valueOf(record, 'the value') ?? undefined }, options);
  }
  const { value } = record;
  return joinEvent({ attributes, data: value === null ? undefined : new Uint8Array(value) }, options);
}

/** @throws {NqError} `NQ_PAYLOAD` if one is not UTF-8. */
function textsOf(attributes: Attributes): Record<string, string | undefined> {
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined && typeof value !== 'string')
      setHeader<Buffer | string>(attributes, name, textOf(value, name));
  }
  return attributes as Record<string, string | undefined>;
}

/** The value of `record` as a text. @param what it is called. @throws {NqError} `NQ_PAYLOAD` if it is not UTF-8. */
function valueOf(record: IncomingRecord, what: string): string | null {
  if (record instanceof FetchedRecord) {
    const text = record.valueText();
    if (text === null || !text.includes(replacement)) return text;
  }
  const { value } = record;
  return value === null ? null : textOf(value, what);
}

/** In place of what is not UTF-8. */
const replacement = '\u{fffd}';

function textOf(bytes: Buffer, what: string): string {
  const text = bytes.toString();
  // It would not be what was pushed.
  if (text.includes(replacement) && !isUtf8(bytes))
    throw new NqError('NQ_PAYLOAD', `Cannot read the event: ${what} is not UTF-8`);
  return text;
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
