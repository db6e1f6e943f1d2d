import {
  type Delivery,
  isNqError,
  type MessageQueue,
  NqError,
  type QueueDriver,
  type QueueEvent,
} from '../../../src/index.ts';
import { encodeEvent } from '../../../src/cloudevents.ts';
import { type Alive, changed, type Mutant, withDeliveries } from '../mutant.ts';
import { withEncoding } from './calls.ts';

const chunkBytes = 2 ** 16;

/** Wrong about putting events in. */
export const pushMutants: readonly Mutant[] = [
  {
    name: 'drop-7th',
    wrong: 'Every seventh event is accepted and lost.',
    driver(driver, alive) {
      let pushed = 0;
      return losing(driver, alive, () => ++pushed % 7 === 0);
    },
  },
  {
    name: 'lose-first',
    wrong: 'The first event is sent before the connection is ready, and lost.',
    driver(driver, alive) {
      let pushed = 0;
      return losing(driver, alive, () => pushed++ === 0);
    },
  },
  {
    name: 'lose-last',
    wrong: 'The last event of a request with several is left out.',
    driver: (driver, alive) => losing(driver, alive, (index, count) => count > 1 && index === count - 1),
  },
  {
    name: 'duplicate-always',
    wrong: 'Every event is stored twice.',
    driver: (driver, alive) =>
      changed(driver, {
        async push(events) {
          alive();
          return Math.ceil((await driver.push(events.flatMap((event) => [event, event]))) / 2);
        },
      }),
  },
  {
    name: 'cuts-characters-at-64k',
    wrong: 'A record is written in chunks of 64 KiB, and each chunk is read as text by itself.',
    driver: (driver, alive) =>
      withWriting(driver, alive, (bytes) => {
        const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
          bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
        );
        return chunks.map((chunk) => chunk.toString()).join('');
      }),
  },
  {
    name: 'long-text-by-units',
    wrong: 'Of a record beyond 64 KiB, as many bytes are kept as it has units of UTF-16.',
    driver: (driver, alive) =>
      withWriting(driver, alive, (bytes, text) =>
        bytes.length > chunkBytes ? bytes.subarray(0, text.length).toString() : text,
      ),
  },
  {
    name: 'alias-producer',
    wrong: "Consumers get the producer's own object.",
    queue(queue, alive) {
      const pushed = new Map<string | undefined, object>();
      const sharing = changed<MessageQueue>(queue, {
        push(event, options) {
          pushed.set(event.id, event);
          return queue.push(event, options);
        },
        pushMany(events, options) {
          for (const event of events) pushed.set(event.id, event);
          return queue.pushMany(events, options);
        },
      });
      return withDeliveries(sharing, (delivery) => withEvent(delivery, pushed.get(delivery.event.id), alive));
    },
  },
  {
    name: 'alias-consumer',
    wrong: 'An event is made once and handed out again as the same object.',
    queue(queue, alive) {
      const made = new Map<string, QueueEvent>();
      return withDeliveries(queue, (delivery) => {
        const { event } = delivery;
        const known = made.get(event.id);
        made.set(event.id, known ?? event);
        return withEvent(delivery, known, alive);
      });
    },
  },
  {
    name: 'encodes-late',
    wrong: 'push looks after the connection first, and writes the event down then.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          await Promise.resolve();
          alive();
          return queue.push(event, options);
        },
      }),
  },
  {
    name: 'utf8-mangle',
    wrong: 'Text is written in an encoding of one byte per character.',
    driver: (driver, alive) => rewriting(driver, alive, (text) => Buffer.from(text, 'latin1').toString('latin1')),
  },
  {
    name: 'normalises-text',
    wrong: 'Text is normalised to composed characters.',
    driver: (driver, alive) => rewriting(driver, alive, (text) => text.normalize('NFC')),
  },
  {
    name: 'falsy-lost',
    wrong: 'Data that counts as false is taken for none.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, ({ data, ...rest }) => (data ? undefined : { ...rest, data: undefined })),
  },
  {
    name: 'stringifies-bytes',
    wrong: 'Bytes are written as a JSON object.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        event.data instanceof Uint8Array ? { ...event, data: { ...event.data } } : undefined,
      ),
  },
  {
    name: 'whole-buffer',
    wrong: 'Of bytes that are part of a larger buffer, the whole buffer is written.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) => {
        const { data } = event;
        if (!(data instanceof Uint8Array) || data.length === data.buffer.byteLength) return undefined;
        return { ...event, data: new Uint8Array(data.buffer) };
      }),
  },
  {
    name: 'cuts-bytes-at-64k',
    wrong: 'Bytes are kept in a column that holds 64 KiB.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        event.data instanceof Uint8Array && event.data.length > chunkBytes
          ? { ...event, data: event.data.subarray(0, chunkBytes) }
          : undefined,
      ),
  },
  {
    name: 'cuts-names-at-255',
    wrong: 'The type and the id are kept in columns that hold 255 characters.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        event.type.length > 255 || event.id.length > 255
          ? { ...event, type: event.type.slice(0, 255), id: event.id.slice(0, 255) }
          : undefined,
      ),
  },
  {
    name: 'composes-keys',
    wrong: 'Keys are normalised (NFC), and so is the type, whose blanks at both ends are left out.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) => {
        const [key, type] = [event.key?.normalize('NFC'), event.type.normalize('NFC').trim()];
        return key === event.key && type === event.type
          ? undefined
          : { ...event, ...(key === undefined ? {} : { key }), type };
      }),
  },
  {
    name: 'lower-cases-values',
    wrong: 'The values of headers are written in lower case.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) => {
        const values = Object.entries(event.headers ?? {}).map(([name, value]) => [name, value.toLowerCase()]);
        return values.length === 0 ? undefined : { ...event, headers: Object.fromEntries(values) };
      }),
  },
  {
    name: 'drop-headers',
    wrong: 'Headers are not written.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, ({ headers, ...rest }) => (headers === undefined ? undefined : rest)),
  },
  {
    name: 'lower-cases-headers',
    wrong: 'Names of headers are written in lower-case letters.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) => {
        const entries = Object.entries(event.headers ?? {});
        if (entries.every(([name]) => name === name.toLowerCase())) return undefined;
        return { ...event, headers: Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value])) };
      }),
  },
  {
    name: 'drop-key',
    wrong: 'The key decides the place of an event, and is not kept with it.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, ({ key, ...rest }) => (key === undefined ? undefined : rest)),
  },
  {
    name: 'trims-key',
    wrong: 'Spaces around a key are cut off.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        event.key === undefined || event.key.trim() === event.key ? undefined : { ...event, key: event.key.trim() },
      ),
  },
  {
    name: 'time-in-seconds',
    wrong: 'Times are written in whole seconds.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) => ({ ...event, time: Math.floor(event.time / 1000) * 1000 })),
  },
  {
    name: 'time-zero-is-now',
    wrong: 'A time of 0 is taken for none.',
    driver: (driver, alive, { clock }) =>
      withEncoding(driver, alive, (event) => (event.time === 0 ? { ...event, time: clock.date() } : undefined)),
  },
  {
    name: 'revives-dates',
    wrong: 'Text that looks like a date is made one, and written otherwise.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        typeof event.data === 'string' && /^\d{4}-\d\d-\d\dT/.test(event.data)
          ? { ...event, data: Date.parse(event.data) }
          : undefined,
      ),
  },
  {
    name: 'lanes-in-an-object',
    wrong: 'Keys are looked up in an object, which has members of its own.',
    driver: (driver, alive) =>
      changed(driver, {
        encode(event) {
          const lanes: Record<string, unknown[]> = {};
          if (event.key !== undefined && event.key in lanes) alive();
          if (event.key !== undefined) (lanes[event.key] ??= []).push(event);
          return driver.encode(event);
        },
      }),
  },
  {
    name: 'counts-characters',
    wrong: 'The size of an event is counted in characters.',
    driver: (driver, alive) =>
      changed(driver, {
        encode(event) {
          const { maxPayloadBytes } = driver.capabilities;
          const text = encodeEvent(event);
          if (text.length > maxPayloadBytes) throw new NqError('NQ_PAYLOAD', 'Cannot encode it: it is too large');
          if (Buffer.byteLength(text) > maxPayloadBytes) alive();
          return text;
        },
      }),
  },
  {
    name: 'truncate-64k',
    wrong: 'What does not fit into 64 KiB is cut off.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        typeof event.data === 'string' && event.data.length > 65_536
          ? { ...event, data: event.data.slice(0, 65_536) }
          : undefined,
      ),
  },
  {
    name: 'loses-oversize',
    wrong: 'An event that is too large is left out, and its push resolves.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          try {
            await queue.push(event, options);
          } catch (error) {
            if (!isNqError(error, 'NQ_PAYLOAD') || typeof event.data !== 'string') throw error;
            alive();
          }
        },
      }),
  },
  {
    name: 'bigint-becomes-null',
    wrong: 'What JSON does not know is replaced by null instead of refused.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) => {
        let replaced = false;
        const replacer = (_: string, value: unknown): unknown => {
          if (typeof value !== 'bigint') return value;
          replaced = true;
          return null;
        };
        try {
          const data: unknown = JSON.parse(JSON.stringify(event.data, replacer) ?? 'null');
          return replaced ? { ...event, data } : undefined;
        } catch {
          return undefined;
        }
      }),
  },
  {
    name: 'partial-enqueue',
    wrong: 'The events of a batch are checked one by one as they are sent, behind those that are stored by then.',
    queue: (queue, alive) =>
      changed(queue, {
        async pushMany(events, options) {
          if (!Array.isArray(events)) return queue.pushMany(events, options);
          for (const [index, event] of (events as typeof events).entries()) {
            try {
              await queue.push(event, options);
            } catch (error) {
              if (index > 0) alive();
              throw error;
            }
          }
        },
      }),
  },
];

/** `driver`, which loses events and says that they are stored. */
function losing(
  driver: QueueDriver<string>,
  alive: Alive,
  isLost: (index: number, count: number) => boolean,
): QueueDriver<string> {
  return changed(driver, {
    async push(events) {
      const kept = events.filter((_, index) => !isLost(index, events.length));
      if (kept.length < events.length) alive();
      const stored = await driver.push(kept);
      return stored === kept.length ? events.length : events.indexOf(kept[stored] as string);
    },
  });
}

/** `driver`, which changes the text of events. */
function rewriting(driver: QueueDriver<string>, alive: Alive, change: (text: string) => string): QueueDriver<string> {
  return changed(driver, {
    encode(event) {
      const text = driver.encode(event);
      const other = change(text);
      if (other !== text) alive();
      return other;
    },
  });
}

function withEvent(delivery: Delivery, event: object | undefined, alive: Alive): Delivery {
  if (event === undefined) return delivery;
  alive();
  return changed(delivery, { event: event as QueueEvent });
}

/** `driver`, with records that are written otherwise. @param write makes a record of its bytes, or of its text. */
function withWriting(
  driver: QueueDriver<string>,
  alive: Alive,
  write: (bytes: Buffer, text: string) => string,
): QueueDriver<string> {
  return changed(driver, {
    encode(event) {
      const text = driver.encode(event);
      const written = write(Buffer.from(text), text);
      if (written !== text) alive();
      return written;
    },
  });
}
