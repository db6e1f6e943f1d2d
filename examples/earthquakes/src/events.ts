import { decodeEvent, type EventInput, NqError, type QueueEvent } from '@nq/core';

/** The types of event that the shipped week holds. */
export const reportTypes = ['earthquake', 'explosion', 'quarry blast'] as const;
type ReportType = (typeof reportTypes)[number];

/**
 * A report: the properties of a GeoJSON feature as they came, and its geometry. Anybody may have written it, so nothing
 * is certain to be there. The members are described at https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php
 */
export type Report =
  | {
      /** The magnitude. */
      readonly mag?: unknown;
      /** How well the location fits the arrival times: the root mean square of the residuals, in seconds. */
      readonly rms?: unknown;
      /** Where, in words. */
      readonly place?: unknown;
    }
  | null
  | undefined;

/** The event map: reports by their types, and whatever the user's own events are. */
export type Events = Readonly<Record<ReportType, Report>> & Readonly<Record<string, unknown>>;

/** From this magnitude on there is an alert. */
export const alertMagnitude = 4.5;

/** The header of a GeoJSON feature. It travels with the event: whoever handles it has not seen the line. */
const featureHeader = 'examplefeature';

/** Whether `event` was a GeoJSON feature, so that its data is a {@link Report}, whatever its type. */
export function isFeature({ headers }: QueueEvent): boolean {
  return headers?.[featureHeader] !== undefined;
}

/**
 * The event in `text`: a GeoJSON feature, a CloudEvent, or other JSON with a `type`.
 *
 * @param keyMember the member of other JSON that is the key. @throws {NqError} `NQ_PAYLOAD` saying why it is none.
 */
export function readEvent(text: string, keyMember: string | undefined): EventInput {
  const feature = parseFeature(text);
  if (feature !== undefined) return eventOf(feature);
  return decodeEvent(text, keyMember === undefined ? {} : { foreign: { key: keyMember } });
}

/** What a number that may be missing, or may be anything, is. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** The GeoJSON feature in `text`, `undefined` if it is something else: `decodeEvent()` says then what is wrong with it. */
function parseFeature(text: string): Json | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  if (value['type'] === 'FeatureCollection') throw unreadable('a FeatureCollection is many; write one feature a line');
  return value['type'] === 'Feature' ? value : undefined;
}

function eventOf(feature: Json): EventInput {
  const { id, geometry, properties } = feature;
  if (!isObject(properties)) throw unreadable('properties must be an object');
  const { type, net, time } = properties;
  if (typeof type !== 'string' || type === '') throw unreadable('properties.type must be a non-empty string');
  if (net !== undefined && net !== null && typeof net !== 'string') throw unreadable('properties.net must be a string');
  if (time !== undefined && time !== null && typeof time !== 'number')
    throw unreadable('properties.time must be a number');
  // GeoJSON (RFC 7946, section 3.2) allows strings and numbers. Without an id the event gets a new one.
  const hasId = (typeof id === 'string' && id !== '') || typeof id === 'number';
  return {
    ...(hasId ? { id: String(id) } : {}),
    type,
    ...(typeof net === 'string' ? { key: net } : {}),
    ...(typeof time === 'number' ? { time } : {}),
    data: { ...properties, geometry },
    headers: { [featureHeader]: 'true' },
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unreadable(reason: string): NqError {
  return new NqError('NQ_PAYLOAD', `Cannot read the feature: ${reason}`);
}
