import { NqError } from './errors.ts';

/** The last time that was read: events come in bursts, and a time costs as much as the rest of a small event. */
let latestRead: { readonly text: string; readonly time: number } = { text: '', time: NaN };

/** RFC 3339 §5.6: complete, and with an offset. `Date.parse` alone takes "2024" and "1 May" too, in the local time zone. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

/** Milliseconds since the Unix epoch, of a number or of an RFC 3339 time; `NaN` for anything else. */
export function parseTime(value: unknown): number {
  if (value === latestRead.text) return latestRead.time;
  const isText = typeof value === 'string' && rfc3339.test(value);
  const time = isText ? Date.parse(value.toUpperCase()) : typeof value === 'number' ? value : NaN;
  if (isText && Number.isFinite(time)) latestRead = { text: value, time };
  return time;
}

/** The last time that was written. What was read may be the same moment in other words. */
let latestTime = NaN;
let latestText = '';

/** The last moment that RFC 3339 can write, with its four digits of the year. */
const lastTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const firstTime = -62_167_219_200_000;

/**
 * `time`, in milliseconds since the Unix epoch, in RFC 3339.
 *
 * @throws {NqError} `NQ_PAYLOAD` if it cannot be written so.
 */
export function formatTime(time: number): string {
  if (time === latestTime) return latestText;
  if (!(time >= firstTime && time <= lastTime)) {
    throw new NqError('NQ_PAYLOAD', `Cannot encode the event: time must lie in the years 0 to 9999, got ${time}`);
  }
  latestText = new Date(time).toISOString();
  latestTime = time;
  return latestText;
}
