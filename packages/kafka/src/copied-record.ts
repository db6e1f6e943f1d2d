import type { IncomingRecord } from './kafka-driver.ts';

/**
 * `record` with memory of its own. What was sent together is in one piece of memory, which must not live as long as one of
 * it waits.
 */
export function copiedRecord({
  offset,
  time,
  isBrokerTime,
  bytes,
  key,
  value,
  headers,
}: IncomingRecord): IncomingRecord {
  const copies = Object.entries(headers).map(([name, header]) => [name, copied(header)]);
  return {
    offset,
    time,
    isBrokerTime,
    bytes,
    key: copyOf(key),
    value: copyOf(value),
    headers: Object.fromEntries(copies) as IncomingRecord['headers'],
  };
}

type Header = IncomingRecord['headers'][string];

function copied(header: Header): Header {
  if (Array.isArray(header)) return header.map((one) => copied(one as Header)) as Header;
  return Buffer.isBuffer(header) ? copyOf(header) : header;
}

function copyOf<Bytes extends Buffer | null>(bytes: Bytes): Bytes {
  return (bytes === null ? null : Buffer.from(bytes)) as Bytes;
}
