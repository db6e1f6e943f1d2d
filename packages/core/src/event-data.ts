import { types } from 'node:util';
import { NqError } from './errors.ts';
import type { QueueEvent } from './event.ts';

/** The data of `event` as JSON. @throws {NqError} `NQ_PAYLOAD` if it has no JSON form, or one that means something else. */
export function stringifyData(event: QueueEvent): string {
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
    throw new NqError('NQ_PAYLOAD', `Cannot encode event ${nameOf(event)}: its data cannot be written as JSON`, {
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
    `Cannot encode event ${nameOf(event)}: its data is of class ${kind}, which JSON does not carry`,
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

/** What messages call an event. */
export function nameOf({ id }: QueueEvent): string {
  return JSON.stringify(id);
}
