import type { SplitEvent } from '@nq/core/parts';
import { headerOf } from './record-headers.ts';
import { WireWriter } from './wire-writer.ts';

/** Of how many attributes it is kept how they were written, and how long that may be: events have some ten short ones. */
const mostKept = 32;
const longestKept = 256;

/** The attribute that was written last at one place among those that events have, with or without a value. */
interface Kept {
  readonly name: string;
  /** Its header without the value. */
  readonly nameBytes: Buffer;
  value: string;
  /** The whole header; `undefined` until an event has the same value as the one before. */
  bytes: Buffer | undefined;
}

/**
 * Writes attributes as headers of a record. Most of what an event says there the one before has said too, as its type and
 * its time to the millisecond: those bytes are copied, which is faster than to write a text.
 */
export class AttributeWriter {
  readonly #kept: Kept[] = [];

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
    let kept = this.#kept[place];
    if (kept?.name !== name) {
      kept = { name, nameBytes: bytesOf(headerOf(name)), value: '', bytes: undefined };
      if (place < mostKept) this.#kept[place] = kept;
    }
    if (kept.value === value) kept.bytes ??= bytesOf(headerOf(name), value);
    else kept.bytes = undefined;
    if (kept.bytes !== undefined) {
      writer.raw(kept.bytes);
      return;
    }
    kept.value = value.length <= longestKept ? value : '';
    writer.raw(kept.nameBytes);
    writer.varintText(value);
  }
}

function bytesOf(...texts: readonly string[]): Buffer {
  const writer = new WireWriter(0);
  for (const text of texts) writer.varintText(text);
  return writer.bytes;
}
