import { randomBytes } from 'node:crypto';
import { describe, describeKind } from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import { NqError } from './errors.ts';

/** What travels: the attributes of a CloudEvents 1.0 event, under the names that TypeScript users write. */
export interface QueueEvent<Data = unknown, Type extends string = string> {
  /** Unique among the events of its producer. */
  readonly id: string;
  /** What happened, for example `order.created`: it picks the handlers. */
  readonly type: Type;
  /** Events of one key belong together and keep their order where the queue can keep it (CloudEvents `partitionkey`). */
  readonly key?: string;
  /** The payload: anything that JSON can carry, or a `Uint8Array`. */
  readonly data: Data;
  /** Further attributes, strings only. A name of lower-case letters and digits travels as a CloudEvents extension. */
  readonly headers?: Readonly<Record<string, string>>;
  /** When it happened: milliseconds since the Unix epoch. */
  readonly time: number;
}

/** An event as producers write it: `id` and `time` are filled in where they are missing. */
export type EventInput<Data = unknown, Type extends string = string> = EventAttributes<Type> & EventData<Data>;

/** What an event has besides its data. */
interface EventAttributes<Type extends string> {
  /** @default a new id, unique in this and every other process */
  readonly id?: string | undefined;
  readonly type: Type;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds since the Unix epoch. @default now */
  readonly time?: number | undefined;
}

/** The data, which may be left out only where it may be `undefined`. */
type EventData<Data> = undefined extends Data ? { readonly data?: Data } : { readonly data: Data };

/**
 * One random prefix per process and a counter: 31 ns where `randomUUID()` per event took 157 (Node 20, measured). 96 bits
 * of chance are enough for the prefix, whose length is that of every stored event.
 */
const idPrefix = `${randomBytes(12).toString('hex')}-`;
let idCounter = 0;

/** A new event id: unique in this process by a counter, among processes by a random prefix. */
export function newEventId(): string {
  return idPrefix + (idCounter++).toString(36);
}

/**
 * The complete event for `input`: the same object where `id` and `time` are there already, a copy of the members that an event has otherwise.
 *
 * @throws {TypeError} if an attribute has the wrong type, or there is no `data` but a member that an event does not have,
 * as in `{ type, payload }`; the message names it and says what came.
 * @throws {NqError} `NQ_PAYLOAD` if `data` itself is a function, a symbol or a bigint.
 */
export function createEvent<Data = unknown, Type extends string = string>(
  input: EventInput<Data, Type>,
  clock: Clock = systemClock,
): QueueEvent<Data, Type> {
  checkEvent(input, 'push');
  return completeEvent(input, clock);
}

/** What {@link createEvent} answers for an `input` that {@link checkEvent} has let pass. */
export function completeEvent<Data = unknown, Type extends string = string>(
  input: EventInput<Data, Type>,
  clock: Clock,
): QueueEvent<Data, Type> {
  if (input.id !== undefined && input.time !== undefined) return input as QueueEvent<Data, Type>;
  const { id = newEventId(), type, key, data, headers, time = clock.date() } = input;
  return eventOf(id, type, key, data, headers, time) as QueueEvent<Data, Type>;
}

/**
 * An event without members that are `undefined`.
 *
 * It is made by a constructor, as what waits for each event at a consumer. V8 puts what comes of an object literal where it
 * keeps what is old, once most of it was still in use at a few of its frequent collections, as with a consumer that finds many
 * events waiting; and then for as long as the process runs, however short-lived it is. It did so with 2.3 MB at each of these
 * collections, and does with 0.9 (50,000 events a second on Kafka; Node 20, `--trace-gc`).
 */
export function eventOf(
  id: string,
  type: string,
  key: string | undefined,
  data: unknown,
  headers: Readonly<Record<string, string>> | undefined,
  time: number,
): QueueEvent {
  return new PlainEvent(id, type, key, data, headers, time);
}

interface PlainEventConstructor {
  new (...members: Parameters<typeof eventOf>): QueueEvent;
}

/** As from a literal: with no other prototype than that of every object. */
const PlainEvent = function (
  this: Writable<QueueEvent>,
  id: string,
  type: string,
  key: string | undefined,
  data: unknown,
  headers: Readonly<Record<string, string>> | undefined,
  time: number,
): void {
  this.id = id;
  this.type = type;
  if (key !== undefined) this.key = key;
  this.data = data;
  if (headers !== undefined) this.headers = headers;
  this.time = time;
} as unknown as PlainEventConstructor;
Object.defineProperty(PlainEvent, 'prototype', { value: Object.prototype });

type Writable<Members> = { -readonly [Member in keyof Members]: Members[Member] };

/** What the caller does with the event: messages begin with it. */
type Verb = 'push' | 'dispatch';

/**
 * @throws {TypeError} naming the first attribute of `input` that is not as {@link EventInput} says. @throws {NqError} as
 * {@link createEvent}.
 */
export function checkEvent(input: EventInput, verb: Verb): void {
  if (typeof input !== 'object' || input === null) {
    refuse(verb, 'event', `an object, as in ${verb}({ type, data })`, input);
  }
  const { id, type, key, time, headers, data } = input;
  if (typeof type !== 'string' || type === '') refuse(verb, 'event.type', 'a non-empty string', type);
  if (id !== undefined && (typeof id !== 'string' || id === '')) refuse(verb, 'event.id', 'a non-empty string', id);
  if (key !== undefined && typeof key !== 'string') refuse(verb, 'event.key', 'a string', key);
  if (time !== undefined && !Number.isFinite(time)) {
    refuse(verb, 'event.time', 'milliseconds since the Unix epoch', time);
  }
  if (headers !== undefined) checkHeaders(headers, verb);
  if (data === undefined) refuseUnknown(input, verb);
  if (typeof data === 'function' || typeof data === 'symbol' || typeof data === 'bigint') {
    throw new NqError(
      'NQ_PAYLOAD',
      `Cannot ${verb}: event.data must be something that JSON can carry, or a Uint8Array, got a ${typeof data}`,
    );
  }
}

function checkHeaders(headers: Readonly<Record<string, string>>, verb: Verb): void {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    refuse(verb, 'event.headers', 'an object of strings', headers);
  }
  for (const name in headers) {
    if (typeof headers[name] !== 'string') {
      refuse(verb, `event.headers[${JSON.stringify(name)}]`, 'a string', headers[name]);
    }
  }
}

const members: ReadonlySet<string> = new Set([
  'id',
  'type',
  'key',
  'data',
  'headers',
  'time',
] satisfies (keyof QueueEvent)[]);

/** For an event without data: the payload may be under another name, and would be lost without a word. */
function refuseUnknown(input: EventInput, verb: Verb): void {
  for (const name in input) {
    if (members.has(name) || !Object.hasOwn(input, name)) continue;
    if ((input as unknown as Record<string, unknown>)[name] === undefined) continue;
    const known = [...members].join(', ');
    throw new TypeError(
      `Cannot ${verb}: event has no data, and ${describe(name)} is no member of an event; known are ${known}`,
    );
  }
}

function refuse(verb: Verb, field: string, expected: string, got: unknown): never {
  // What is given in place of an event, or of headers, may be the payload.
  const shown = field === 'event' || field.startsWith('event.headers') ? describeKind(got) : describe(got);
  throw new TypeError(`Cannot ${verb}: ${field} must be ${expected}, got ${shown}`);
}
