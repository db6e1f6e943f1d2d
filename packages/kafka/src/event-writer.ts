import { NqError, type QueueEvent } from '@nq/core';
import { splitEvent } from '@nq/core/parts';
import { AttributeWriter } from './attribute-writer.ts';
import { roomFor, WireWriter } from './wire-writer.ts';
import { WrittenRecord } from './written-record.ts';

/** How large the pieces of memory are that records are written into, in bytes, unless a single one needs more. */
const slabBytes = 16 * 1024;

/** How much room there is for the headers of a record, in bytes, before it is written. */
const usualHeaders = 512;

/**
 * Writes events as records, in the binary mode of the CloudEvents Kafka binding: attributes in headers, the data alone in
 * the value, and the key of the event as the key of the record. They are written once, when they are pushed: objects in
 * between cost more than the writing.
 */
export class EventWriter {
  readonly #maxBytes: number;
  /** The memory that is written into, by partition: what waits for one that is stuck keeps none that others have left. */
  readonly #slabs: (WireWriter | undefined)[] = [];
  readonly #attributes = new AttributeWriter();

  /** @param maxBytes the largest record, in bytes. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {NqError} `NQ_PAYLOAD` if its data cannot be written, or it is larger than a record may be. */
  write(event: QueueEvent, partition: number): WrittenRecord {
    const { attributes, data } = splitEvent(event);
    const { key = null } = event;
    const writer = this.#slab(partition, roomFor(key) + roomFor(data) + usualHeaders);
    const start = writer.position;
    writer.varintTextOrBytes(key);
    writer.varintTextOrBytes(data ?? null);
    this.#attributes.write(writer, attributes);
    const record = new WrittenRecord(writer.source, start, writer.position);
    const { bytes } = record;
    if (bytes > this.#maxBytes) {
      writer.position = start;
      const id = JSON.stringify(event.id);
      throw new NqError(
        'NQ_PAYLOAD',
        `Cannot encode event ${id}: ${bytes} bytes are more than the ${this.#maxBytes} allowed`,
      );
    }
    return record;
  }

  #slab(partition: number, room: number): WireWriter {
    const slab = this.#slabs[partition];
    if (slab !== undefined && slab.room >= room) return slab;
    return (this.#slabs[partition] = new WireWriter(Math.max(slabBytes, room)));
  }
}
