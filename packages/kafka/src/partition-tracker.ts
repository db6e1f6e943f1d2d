/** Offsets from `start` up to `end`, which is none of them. */
export interface Run {
  readonly start: number;
  readonly end: number;
}

/**
 * Which records of a partition are done. They are received in the order of their offsets, and done in any order; what can
 * be committed is the watermark, before which all are. Offsets that never come, for they were compacted away or belong to
 * a transaction, are done as soon as a later one is seen: else nothing would be committed any more.
 *
 * Runs of done records are kept, not the records: a gap of any length costs as much as one record.
 */
export class PartitionTracker {
  #watermark: number;
  #end: number;
  /** Runs that are done, received, and behind an open record: by where they start, and by where they end. */
  readonly #ends = new Map<number, number>();
  readonly #starts = new Map<number, number>();
  /** Runs that were done before we had the partition, as far as the end has not reached them, in order. */
  readonly #before: Run[];

  /**
   * @param position the offset that comes first.
   * @param doneBefore what is known to be done behind it, in order and apart from one another.
   */
  constructor(position: number, doneBefore: readonly Run[] = []) {
    this.#watermark = position;
    this.#end = position;
    this.#before = [...doneBefore];
    this.#passDoneBefore();
  }

  /** The first offset that is not done: the one to commit. */
  get watermark(): number {
    return this.#watermark;
  }

  /** The offset that is expected next. */
  get end(): number {
    return this.#end;
  }

  /**
   * How many runs are done between records that are not, of what was received. What was done before we had the partition is
   * not counted until the end has reached it: nobody could make that less by handling what is here.
   */
  get runs(): number {
    return this.#ends.size;
  }

  /** Notes a record. @returns whether it is to be handled: it was neither received nor done before. */
  receive(offset: number): boolean {
    this.skipTo(offset);
    if (offset < this.#end) return false;
    this.#end = offset + 1;
    this.#passDoneBefore();
    return true;
  }

  /** Notes that no record comes before `offset` that was not received. */
  skipTo(offset: number): void {
    if (offset <= this.#end) return;
    this.#complete(this.#end, offset);
    this.#end = offset;
    this.#passDoneBefore();
  }

  /** Notes that a received record is done. It must not be done already. */
  complete(offset: number): void {
    this.#complete(offset, offset + 1);
  }

  /** What is done behind the watermark, in order. */
  doneBehind(): Run[] {
    const received = Array.from(this.#ends, ([start, end]) => ({ start, end })).sort((a, b) => a.start - b.start);
    return [...received, ...this.#before];
  }

  #passDoneBefore(): void {
    for (let run = this.#before[0]; run !== undefined && run.start <= this.#end; run = this.#before[0]) {
      this.#before.shift();
      if (run.end <= this.#end) continue;
      this.#complete(this.#end, run.end);
      this.#end = run.end;
    }
  }

  #complete(from: number, to: number): void {
    let start = from;
    let end = to;
    const before = this.#starts.get(start);
    if (before !== undefined) {
      this.#starts.delete(start);
      start = before;
    }
    const behind = this.#ends.get(end);
    if (behind !== undefined) {
      this.#ends.delete(end);
      end = behind;
    }
    if (start === this.#watermark) {
      this.#watermark = end;
      this.#ends.delete(start);
      this.#starts.delete(end);
    } else {
      this.#ends.set(start, end);
      this.#starts.set(end, start);
    }
  }
}
