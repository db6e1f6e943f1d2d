import type { IncomingRecord } from './kafka-driver.ts';

/** In front of the names of attributes (CloudEvents Kafka protocol binding 1.0.2, §3.2.3). */
const prefix = 'ce_';

/** The header of what the data is, which has the same name in every binding, and in any case of letters. */
export const contentTypeHeader = 'content-type';

/** The headers of the attributes that most events have: a text that is made for each event costs more than the rest. */
const headers: ReadonlyMap<string, string> = new Map([
  ...['specversion', 'id', 'source', 'type', 'time', 'partitionkey'].map((name) => [name, prefix + name] as const),
  ['datacontenttype', contentTypeHeader],
]);

/** The header that an attribute is in. */
export function headerOf(attribute: string): string {
  return headers.get(attribute) ?? prefix + attribute;
}

/** The attribute that is in a header of that name, if there is one: {@link isContentType} is for itself. */
export function attributeIn(header: string): string | undefined {
  return header.startsWith(prefix) ? header.slice(prefix.length) : undefined;
}

export function isContentType(header: string): boolean {
  return header.length === contentTypeHeader.length && header.toLowerCase() === contentTypeHeader;
}

/** Of how many headers it is kept what was read or written last, and how long it may be to be kept by who reads: events have some ten short ones. */
export const mostKept = 32;
export const longestKept = 256;

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
