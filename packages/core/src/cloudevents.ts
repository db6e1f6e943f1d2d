import { types } from 'node:util';
import { describe } from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import { NqError } from './errors.ts';
import { eventOf, newEventId, type QueueEvent } from './event.ts';
import { formatTime, parseTime } from './event-time.ts';
import { nameOf, stringifyData } from './event-data.ts';

/** How an event is written. */
export interface EncodeOptions {
  /** The largest result, in bytes of UTF-8. @default Infinity */
  readonly maxBytes?: number | undefined;
}

/** How JSON that is not a CloudEvents event is read. */
export interface ForeignOptions {
  /** The member that is the key of the event: a string or a number. @default 'key' */
  readonly key?: string | undefined;
}

/** How an event is read. */
export interface DecodeOptions {
  /** How plain JSON of other producers is read. */
  readonly foreign?: ForeignOptions | undefined;
  /** Where the time of a foreign event without one comes from. @default systemClock */
  readonly clock?: Clock | undefined;
}

/** The `source` attribute, which CloudEvents 1.0 §3.1 requires, of events that do not bring their own in `headers.source`. */
const defaultSource = '/nq';

/** Attribute names are lower-case letters and digits (CloudEvents 1.0 §3, naming conventions). */
const attributeName = /^[a-z0-9]+$/;

/** Headers whose names no CloudEvents attribute can have travel in this extension, as JSON. */
const headersAttribute = 'nqheaders';

/** Members of the JSON format and attributes that have a place of their own in a {@link QueueEvent}. */
const ownAttributes: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'type',
  'time',
  'partitionkey',
  'data',
  'data_base64',
  'datacontenttype',
  headersAttribute,
]);

/**
 * `event` as structured CloudEvents 1.0 JSON. Its data is JSON without saying so, which the format allows (§3.1 of the
 * JSON event format), for that would be an eighth of a small event. A `Uint8Array` travels as `data_base64`, and the times of producers with
 * a precision of milliseconds.
 *
 * `data` itself is a plain object, an array, a string, a finite number, a boolean, `null`, a `Uint8Array`, or an object
 * with a `toJSON()`, which arrives as what that gives: a `Date` as a string. An object of a class of yours arrives as a
 * plain object with its members. What is inside of `data` is the business of JSON alone: there, `NaN` becomes `null`, a
 * `Map` becomes `{}`, and a `Uint8Array` an object.
 *
 * @throws {NqError} `NQ_PAYLOAD` if `data` cannot be written as JSON, or is itself a `Map`, a `Set`, an `Error`, a
 * `RegExp`, a buffer or typed array other than `Uint8Array`, a promise or a boxed primitive, which JSON would make
 * something else of; or if the event is larger than `maxBytes`.
 */
export function encodeEvent(event: QueueEvent, options: EncodeOptions = {}): string {
  return encodeEventBehind('{', event, options);
}

/**
 * The same for those who write members of their own in front: `front` is the brace, and those with a comma behind each, in
 * ASCII. They do not count as bytes of the event. To put them in front of the finished text would copy it once more.
 */
export function encodeEventBehind(front: string, event: QueueEvent, { maxBytes = Infinity }: EncodeOptions): string {
  const { key, data, headers } = event;
  const isBytes = types.isUint8Array(data);
  const isSimple = headers === undefined && !isBytes;
  const attributes = isSimple
    ? simpleAttributes(event, key)
    : JSON.stringify(isBytes ? withBytes(event, data) : attributesOf(event)).slice(1, -1);
  const dataMember = data === undefined || isBytes ? '' : `,"data":${stringifyData(event)}`;
  const text = `${front}${attributes}${dataMember}}`;
  const foreign = front.length - 1;
  // No character is more than three bytes.
  const bytes = (text.length - foreign) * 3 <= maxBytes ? 0 : Buffer.byteLength(text) - foreign;
  if (bytes > maxBytes) {
    throw new NqError(
      'NQ_PAYLOAD',
      `Cannot encode event ${nameOf(event)}: ${bytes} bytes are more than the ${maxBytes} allowed`,
    );
  }
  return text;
}

/** An event as bindings carry it that keep attributes and data apart, such as the headers and the value of a Kafka record. */
export interface SplitEvent {
  /** Every attribute, `datacontenttype` included where there is data; `undefined` for one that is not there. */
  readonly attributes: Readonly<Record<string, string | undefined>>;
  /** JSON, or the bytes that the data is; `undefined` where there is none. */
  readonly data: string | Uint8Array | undefined;
}

/**
 * `event` for the binary mode of a CloudEvents binding. What it says of `data` is as for {@link encodeEvent}.
 *
 * @throws {NqError} `NQ_PAYLOAD` as {@link encodeEvent}, but that it knows no limit.
 */
export function splitEvent(event: QueueEvent): SplitEvent {
  const { data } = event;
  const attributes = attributesOf(event);
  if (data === undefined) return { attributes, data };
  const isBytes = types.isUint8Array(data);
  attributes['datacontenttype'] = isBytes ? bytesType : 'application/json';
  return { attributes, data: isBytes ? data : stringifyData(event) };
}

/**
 * The event that {@link splitEvent} has taken apart, or that another producer has written.
 *
 * @throws {NqError} `NQ_PAYLOAD` if it is none; the message says why, without payload.
 */
export function joinEvent({ attributes, data }: SplitEvent, { clock }: Pick<DecodeOptions, 'clock'> = {}): QueueEvent {
  const { type } = attributes;
  if (type === undefined || type === '')
    throw unreadable(`type must be a non-empty string, got ${type ?? 'undefined'}`);
  return readCloudEvent(attributes, type, typeof data === 'string' ? readJson(data) : data, clock);
}

/** All but what says of the data what it is. First what most events have in common: who writes many can copy that at once. */
function attributesOf({ id, type, key, headers, time }: QueueEvent): Record<string, string | undefined> {
  // All at once: an object that grows costs as much as the rest.
  const written: Record<string, string | undefined> = {
    specversion: '1.0',
    source: defaultSource,
    type,
    datacontenttype: undefined,
    time: formatTime(time),
    id,
    partitionkey: key,
  };
  if (headers !== undefined) writeHeaders(written, headers);
  return written;
}

const bytesType = 'application/octet-stream';

function withBytes(event: QueueEvent, data: Uint8Array): Readonly<Record<string, string | undefined>> {
  const written = attributesOf(event);
  written['datacontenttype'] = bytesType;
  written['data_base64'] = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return written;
}

/** The same in another order, as text without its braces, for an event of few attributes: half as long as an object takes that is made for it. */
function simpleAttributes({ id, type, time }: QueueEvent, key: string | undefined): string {
  if (type !== latest.type || time !== latest.time) {
    const text = `"source":"${defaultSource}","type":${JSON.stringify(type)},"time":"${formatTime(time)}"`;
    latest = { type, time, text };
  }
  const partition = key === undefined ? '' : `,"partitionkey":${JSON.stringify(key)}`;
  return `"specversion":"1.0","id":${JSON.stringify(id)},${latest.text}${partition}`;
}

/** What the last event was, and how that is written: many events are of the type and the millisecond of the one before. */
let latest: { readonly type: string; readonly time: number; readonly text: string } = { type: '', time: NaN, text: '' };

/**
 * The event that `text` holds: structured CloudEvents 1.0 JSON, or the plain JSON of a foreign producer, which is an
 * object with a `type`. Of the latter `data` is the data, or the whole object where there is none; a missing `id` or
 * `time` is filled in.
 *
 * @throws {NqError} `NQ_PAYLOAD` if it is neither; the message says why, without payload.
 */
export function decodeEvent(text: string, options: DecodeOptions = {}): QueueEvent {
  const value = readJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unreadable(`expected a JSON object with a type, got ${describeKind(value)}`);
  }
  const record = value as Readonly<Record<string, unknown>>;
  const type = record['type'];
  if (typeof type !== 'string' || type === '') {
    throw unreadable(`type must be a non-empty string, got ${type === '' ? '""' : describeKind(type)}`);
  }
  return 'specversion' in record
    ? readCloudEvent(record, type, record['data'], options.clock)
    : readForeign(record, type, options);
}

/** What {@link simpleAttributes} writes, in ASCII and without anything that JSON escapes: as far as the data, or to the end. */
const simpleEvent =
  /"specversion":"1\.0","id":"([ !#-[\]-~]+)","source":"\/nq","type":"([ !#-[\]-~]+)","time":"([ !#-[\]-~]+)"(?:,"partitionkey":"([ !#-[\]-~]*)")?(?:,"data":|\}$)/y;

const closingBrace = 0x7d;

/** A `Buffer`, for those who have no types of Node. */
interface Utf8Bytes {
  readonly length: number;
  readonly [index: number]: number;
  toString(encoding: 'utf8', start: number, end: number): string;
}

/**
 * The event in `bytes`, if it is written as {@link encodeEvent} writes most of them, and its attributes stand in `head`, from
 * `from` on: what the bytes begin with, one character each. `undefined` if not: {@link decodeEvent} tells what it is then.
 *
 * Half of what it takes to read a small event goes into an object for its attributes. And what is cut out of a text keeps
 * all of it in memory: whoever keeps the id would keep the data.
 *
 * @throws {NqError} `NQ_PAYLOAD` if its time is none.
 */
export function decodeSimpleEvent(bytes: Utf8Bytes, head: string, from: number): QueueEvent | undefined {
  simpleEvent.lastIndex = from;
  const match = simpleEvent.exec(head);
  if (match === null || bytes[bytes.length - 1] !== closingBrace) return undefined;
  const end = from + match[0].length;
  let data: unknown;
  if (!match[0].endsWith(':')) {
    // The head may end where the bytes go on.
    if (end < bytes.length) return undefined;
  } else {
    const text = bytes.toString('utf8', end, bytes.length - 1);
    // It may stand for what is no UTF-8.
    if (text.includes('\u{fffd}')) return undefined;
    try {
      data = JSON.parse(text);
    } catch {
      // It is no JSON, or has something behind the data.
      return undefined;
    }
  }
  const time = readTime(match[3]) as number;
  return eventOf(match[1] as string, match[2] as string, match[4], data, undefined, time);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The message of a SyntaxError quotes the text, which is payload: only the place in it is told.
    const place = /at position \d+/.exec((cause as Error).message)?.[0] ?? `in ${text.length} characters`;
    throw unreadable(`not JSON (${place})`);
  }
}

/** @param plain what the data is, unless the record has it in base64. */
function readCloudEvent(
  record: Readonly<Record<string, unknown>>,
  type: string,
  plain: unknown,
  clock: Clock = systemClock,
): QueueEvent {
  const { specversion, id, time, partitionkey, data_base64: base64 } = record;
  if (specversion !== '1.0') {
    // Anything but a version may be payload.
    const isVersion = typeof specversion !== 'object' && /^\d[\d.]{0,9}$/.test(String(specversion));
    throw unreadable(`specversion must be "1.0", got ${isVersion ? describe(specversion) : describeKind(specversion)}`);
  }
  if (typeof id !== 'string' || id === '') throw unreadable(`id must be a non-empty string, got ${describeKind(id)}`);
  if (partitionkey !== undefined && typeof partitionkey !== 'string') {
    throw unreadable(`partitionkey must be a string, got ${describeKind(partitionkey)}`);
  }
  if (base64 !== undefined && typeof base64 !== 'string') {
    throw unreadable(`data_base64 must be a string, got ${describeKind(base64)}`);
  }
  const headers = readHeaders(record);
  const data = base64 === undefined ? plain : readBase64(base64);
  return eventOf(id, type, partitionkey, data, headers, readTime(time) ?? clock.date());
}

function readForeign(record: Readonly<Record<string, unknown>>, type: string, options: DecodeOptions): QueueEvent {
  const { foreign = {}, clock = systemClock } = options;
  const keyMember = foreign.key ?? 'key';
  const key = record[keyMember];
  if (key !== undefined && key !== null && typeof key !== 'string' && typeof key !== 'number') {
    throw unreadable(`${keyMember} must be a string or a number, got ${describeKind(key)}`);
  }
  const { id } = record;
  refuseInexact(keyMember, key);
  refuseInexact('id', id);
  const hasId = (typeof id === 'string' && id !== '') || typeof id === 'number';
  const data = 'data' in record ? record['data'] : record;
  const time = readTime(record['time']) ?? clock.date();
  const keyText = key === undefined || key === null ? undefined : String(key);
  return eventOf(hasId ? String(id) : newEventId(), type, keyText, data, undefined, time);
}

/** A number that has lost digits would be the id, or the key, of other events too. */
function refuseInexact(member: string, value: unknown): void {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return;
  if (!Number.isFinite(value) || Number.isInteger(value)) {
    throw unreadable(`${member} is a number that is too large to be exact: write it as a string`);
  }
}

function readBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  const digits = text.replace(/={1,2}$/, '').length;
  const padded = digits < text.length;
  // A single digit is less than a byte; padding fills up to four.
  const wrongLength = digits % 4 === 1 || (padded && text.length % 4 !== 0);
  // Buffer.from() leaves out what is not base64 instead of refusing it.
  if (wrongLength || bytes.length !== Math.floor((digits * 3) / 4)) throw unreadable('data_base64 is not base64');
  return bytes;
}

/** Headers become extension attributes where their names allow it; `source`, `subject` and `dataschema` are attributes. */
function writeHeaders(written: Record<string, string | undefined>, headers: Readonly<Record<string, string>>): void {
  const others: [string, string][] = [];
  for (const [header, value] of Object.entries(headers)) {
    if (isAttribute(header, value)) written[header] = value;
    else others.push([header, value]);
  }
  if (others.length > 0) written[headersAttribute] = JSON.stringify(Object.fromEntries(others));
}

/** Attributes must not be empty (CloudEvents 1.0 §3.1), and our own `source` would not be read back as a header. */
function isAttribute(header: string, value: string): boolean {
  if (value === '' || (header === 'source' && value === defaultSource)) return false;
  return attributeName.test(header) && !ownAttributes.has(header);
}

function readHeaders(record: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  let entries: [string, string][] | undefined;
  for (const attribute in record) {
    if (ownAttributes.has(attribute) || !Object.hasOwn(record, attribute)) continue;
    const value = record[attribute];
    if (value === null || value === undefined || (attribute === 'source' && value === defaultSource)) continue;
    if (typeof value === 'object') throw unreadable(`attribute ${JSON.stringify(attribute)} must not be an object`);
    entries ??= [];
    entries.push([attribute, String(value)]);
  }
  const others = record[headersAttribute];
  if (others !== undefined) entries = [...(entries ?? []), ...readOtherHeaders(others)];
  return entries === undefined || entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function readOtherHeaders(value: unknown): [string, string][] {
  let headers: unknown;
  try {
    headers = JSON.parse(String(value));
  } catch {
    throw unreadable(`${headersAttribute} is not JSON`);
  }
  const entries = typeof headers === 'object' && headers !== null ? Object.entries(headers) : [];
  if (entries.some(([, header]) => typeof header !== 'string'))
    throw unreadable(`${headersAttribute} must hold strings`);
  return entries;
}

/** Milliseconds since the Unix epoch; `undefined` where there is none. */
function readTime(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const time = parseTime(value);
  if (!Number.isFinite(time)) throw unreadable('time must be an RFC 3339 time or milliseconds since the Unix epoch');
  return time;
}

function describeKind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

function unreadable(reason: string): NqError {
  return new NqError('NQ_PAYLOAD', `Cannot read the event: ${reason}`);
}
