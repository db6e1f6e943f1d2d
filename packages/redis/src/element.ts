import { isUtf8 } from 'node:buffer';
import { decodeSimpleEvent, encodeEventBehind } from '@nq/core/parts';
import { decodeEvent, type ForeignOptions, isNqError, type QueueEvent } from '@nq/core';

/**
 * What an element of the list looks like: structured CloudEvents JSON. Two extension attributes stand in front where they
 * are needed, as text, so that scripts can read and write them without parsing what follows (`countHandOut`):
 *
 * - `nqattempt`: how often the event was handed out before. Not there the first time.
 * - `nqtime`: when it was pushed, in milliseconds since the Unix epoch. Not there if somebody else pushed it.
 */
const front = /^\{(?:"nqattempt":(\d{1,9}),)?(?:"nqtime":(\d{1,15}),)?/;

/** What is known of an element. */
export interface Element {
  readonly event: QueueEvent;
  /** How often it was handed out before. */
  readonly handOuts: number;
  /** In milliseconds since the Unix epoch. */
  readonly pushedAt: number | undefined;
}

/** An element that is no event. */
export interface Poison {
  readonly handOuts: number;
  /** Why it cannot be read, without payload. */
  readonly flaw: string;
}

/**
 * The element for `event`, pushed at `now`.
 *
 * @throws {NqError} `NQ_PAYLOAD` as `encodeEvent` does.
 */
export function encodeElement(event: QueueEvent, now: number, maxBytes: number): string {
  return encodeEventBehind(`{"nqtime":${now},`, event, { maxBytes });
}

/** Where the attributes of most events end that we have written, in bytes. */
const headBytes = 256;

/** What `bytes` hold. */
export function decodeElement(bytes: Buffer, foreign: ForeignOptions | undefined): Element | Poison {
  const head = bytes.toString('latin1', 0, headBytes);
  const found = front.exec(head);
  const end = found === null ? 0 : found[0].length;
  const handOuts = Number(found?.[1] ?? 0);
  const time = found?.[2];
  const pushedAt = time === undefined ? undefined : Number(time);
  try {
    const simple = found === null ? undefined : decodeSimpleEvent(bytes, head, end);
    if (simple !== undefined) return { event: simple, handOuts, pushedAt };
    const text = bytes.toString();
    // What is not UTF-8 was replaced: such an event would not be what was pushed.
    if (text.includes('\u{fffd}') && !isUtf8(bytes))
      return { handOuts, flaw: 'Cannot read the event: it is not UTF-8' };
    return { event: decodeEvent(end > 1 ? `{${text.slice(end)}` : text, { foreign }), handOuts, pushedAt };
  } catch (error) {
    if (!isNqError(error)) throw error;
    return { handOuts, flaw: error.message };
  }
}

/** When the element that begins with `text` was pushed, in milliseconds since the Unix epoch, if it says so. */
export function pushTimeOf(text: string): number | undefined {
  const time = front.exec(text)?.[2];
  return time === undefined ? undefined : Number(time);
}
