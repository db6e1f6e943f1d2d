import type { SplitEvent } from '@nq/core/parts';
import { headerOf, longestKept, mostKept } from './record-headers.ts';
import { roomFor, WireWriter } from './wire-writer.ts';

/** The attribute that was written last at one place among those that events have, with or without a value. */
interface Kept {
  readonly name: string;
  /** Its header without the value. */
  readonly nameBytes: Buffer;
  value: string | undefined;
  /** The whole header; `undefined` until an event has the same value as the one before. */
  bytes: Buffer | undefined;
}

/**
 * Writes attributes as headers of a record. Most of what an event says there the one before has said too, as its type and
 * its time to the millisecond: those bytes are copied (15 ns, where a text of 24 characters takes 49; Node 20, measured).
 */
export class AttributeWriter {
  readonly #kept: Kept[] = [];

  /** How many bytes {@link write} writes at the most. */
  static roomFor(attributes: SplitEvent['attributes']): number {
    /** Of what the name of a header is longer than that of its attribute, and its length in front. */
    const longestPrefix = 8;
    let room = 5;
    for (const name in attributes) {
      const value = attributes[name];
      if (value !== undefined) room += 3 * name.length + longestPrefix + roomFor(value);
    }
    return room;
  }

  write(writer: WireWriter, attributes: SplitEvent['attributes']): void {
    let count = 0;
    for (const name in attributes) if (attributes[name] !== undefined) count++;
    writer.varint(count);
    let place = 0;
    for (const name in attributes) {
      const value = attributes[name];
      if (value !== undefined) this.#writeOne(writer, place, name, value);
      place++;
    }
  }

  #writeOne(writer: WireWriter, place: number, name: string, value: string): void {
    const kept = this.#keptAt(place, name);
    if (kept === undefined) {
      writer.varintText(headerOf(name));
      writer.varintText(value);
      return;
    }
    if (kept.value === value) kept.bytes ??= bytesOf(headerOf(name), value);
    else kept.bytes = undefined;
    if (kept.bytes !== undefined) {
      writer.raw(kept.bytes);
      return;
    }
    kept.value = value.length <= longestKept ? value : undefined;
    writer.raw(kept.nameBytes);
    writer.varintText(value);
  }

  #keptAt(place: number, name: string): Kept | undefined {
    const kept = this.#kept[place];
    if (kept?.name === name) return kept;
    if (place >= mostKept || name.length > longestKept) return undefined;
    return (this.#kept[place] = { name, nameBytes: bytesOf(headerOf(name)), value: undefined, bytes: undefined });
  }
}

function bytesOf(...texts: readonly string[]): Buffer {
  const writer = new WireWriter(0);
  for (const text of texts) writer.varintText(text);
  return writer.bytes;
}
