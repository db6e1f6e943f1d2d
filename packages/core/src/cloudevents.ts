import { types } from 'node:util';
import { describe } from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import { NqError } from './errors.ts';
import { eventOf, newEventId, type QueueEvent } from './event.ts';

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
export function encodeEvent(event: QueueEvent, { maxBytes = Infinity }: EncodeOptions = {}): string {
  const { key, data, headers } = event;
  const isBytes = types.isUint8Array(data);
  const isSimple = headers === undefined && !isBytes;
  const attributes = isSimple
    ? simpleAttributes(event, key)
    : JSON.stringify(isBytes ? withBytes(event, data) : attributesOf(event)).slice(0, -1);
  const text = data === undefined || isBytes ? `${attributes}}` : `${attributes},"data":${stringifyData(event)}}`;
  // No character is more than three bytes.
  const bytes = text.length * 3 <= maxBytes ? 0 : Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new NqError(
      'NQ_PAYLOAD',
      `Cannot encode event ${name(event)}: ${bytes} bytes are more than the ${maxBytes} allowed`,
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

/** The same in another order, as text without its end, for an event of few attributes: half as long as an object takes that is made for it. */
function simpleAttributes({ id, type, time }: QueueEvent, key: string | undefined): string {
  const partition = key === undefined ? '' : `,"partitionkey":${JSON.stringify(key)}`;
  const names = `"id":${JSON.stringify(id)},"source":"${defaultSource}","type":${JSON.stringify(type)}`;
  return `{"specversion":"1.0",${names},"time":"${formatTime(time)}"${partition}`;
}

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
    const isVersion = /^\d[\d.]{0,9}$/.test(String(specversion));
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

/** The last time that was read: events come in bursts, and a time costs as much as the rest of a small event. */
let latestRead: { readonly text: string; readonly time: number } | undefined;

/** RFC 3339 §5.6: complete, and with an offset. `Date.parse` alone takes "2024" and "1 May" too, in the local time zone. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

/** Milliseconds since the Unix epoch, of a number or of an RFC 3339 time; `undefined` where there is none. */
function readTime(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === latestRead?.text) return latestRead.time;
  const isText = typeof value === 'string' && rfc3339.test(value);
  const time = isText ? Date.parse(value.toUpperCase()) : typeof value === 'number' ? value : NaN;
  if (!Number.isFinite(time)) throw unreadable('time must be an RFC 3339 time or milliseconds since the Unix epoch');
  if (isText) latestRead = { text: value, time };
  return time;
}

/** The last time that was written. What was read may be the same moment in other words. */
let latestTime = NaN;
let latestText = '';

/** The last moment that RFC 3339 can write, with its four digits of the year. */
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const firstTime = -62_167_219_200_000;

function formatTime(time: number): string {
  if (time === latestTime) return latestText;
  if (!(time >= firstTime && time <= lastTime)) {
    throw new NqError('NQ_PAYLOAD', `Cannot encode the event: time must lie in the years 0 to 9999, got ${time}`);
  }
  latestText = new Date(time).toISOString();
  latestTime = time;
  return latestText;
}

/** @throws {NqError} `NQ_PAYLOAD` if it has no JSON form, or one that means something else. */
function stringifyData(event: QueueEvent): string {
  const { data } = event;
  if (typeof data === 'object' && data !== null) refuseOtherInJson(event, data);
  try {
    // JSON has no such numbers, and JSON.stringify makes null of them.
    if (typeof data === 'number' && !Number.isFinite(data)) throw new TypeError(`data is ${data}`);
    // Nothing comes of a function, and of what a toJSON() gives nothing for.
    const text: string | undefined = JSON.stringify(data);
    if (text === undefined) throw new TypeError('data has no JSON form');
    return text;
  } catch (cause) {
    // What went wrong names members of the payload at the most; it is kept as the cause and not repeated here.
    throw new NqError('NQ_PAYLOAD', `Cannot encode event ${name(event)}: its data cannot be written as JSON`, {
      cause,
    });
  }
}

/** @throws {NqError} `NQ_PAYLOAD` for a built-in object of which JSON makes another thing, mostly `{}`. */
function refuseOtherInJson(event: QueueEvent, data: object): void {
  if (Array.isArray(data)) return;
  const prototype: unknown = Object.getPrototypeOf(data);
  if (prototype === Object.prototype || prototype === null) return;
  if (!otherInJson.some((is) => is(data)) || 'toJSON' in data) return;
  const kind = Object.prototype.toString.call(data).slice('[object '.length, -1);
  throw new NqError(
    'NQ_PAYLOAD',
    `Cannot encode event ${name(event)}: its data is of class ${kind}, which JSON does not carry`,
  );
}

/** By what they are, not by `instanceof`: those of another realm are the same. */
const otherInJson: readonly ((value: unknown) => boolean)[] = [
  types.isMap,
  types.isSet,
  types.isWeakMap,
  types.isWeakSet,
  types.isNativeError,
  types.isRegExp,
  types.isAnyArrayBuffer,
  types.isArrayBufferView,
  types.isPromise,
  types.isBoxedPrimitive,
];

function name(event: QueueEvent): string {
  return JSON.stringify(event.id);
}

function describeKind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

function unreadable(reason: string): NqError {
  return new NqError('NQ_PAYLOAD', `Cannot read the event: ${reason}`);
}
