/**
 * A set of entries, as {@link OncePerEvent} marks events: the name of a run and the number of a line. A line takes a bit,
 * for the lines of a run that is handled in several processes are as many as its input has.
 */
export class EntrySet {
  /** The lines of a run in blocks, each under the run and the number of the block. */
  readonly #blocks = new Map<string, Uint8Array>();
  /** What has no number: somebody else has marked it. */
  readonly #others = new Set<string>();

  /** @returns whether it is new. */
  add(entry: string): boolean {
    if (this.has(entry)) return false;
    const place = placeOf(entry);
    if (place === undefined) {
      this.#others.add(entry);
      return true;
    }
    let block = this.#blocks.get(place.block);
    if (block === undefined) this.#blocks.set(place.block, (block = new Uint8Array(blockBytes)));
    block[place.byte] = (block[place.byte] ?? 0) | place.bit;
    return true;
  }

  has(entry: string): boolean {
    const place = placeOf(entry);
    if (place === undefined) return this.#others.has(entry);
    return ((this.#blocks.get(place.block)?.[place.byte] ?? 0) & place.bit) !== 0;
  }
}

/** 8,192 lines: a number that nobody has counted up to costs no more. */
const blockBytes = 1024;

interface Place {
  readonly block: string;
  readonly byte: number;
  readonly bit: number;
}

function placeOf(entry: string): Place | undefined {
  const [, run, digits] = /^(.*)-(0|[1-9]\d{0,14})$/s.exec(entry) ?? [];
  if (run === undefined) return undefined;
  const number = Number(digits);
  const byte = Math.floor(number / 8);
  return { block: `${run}-${Math.floor(byte / blockBytes)}`, byte: byte % blockBytes, bit: 1 << (number % 8) };
}
