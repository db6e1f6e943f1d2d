/** What a {@link Histogram} has seen. All values in milliseconds; quantiles are exact to 1/16, or a microsecond. */
export interface HistogramSnapshot {
  /** How many values were recorded. With sampling, fewer than there were events. */
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Buckets per doubling of the value: the width of a bucket is 1/16 of its value. */
const steps = 16;
/** From one microsecond to 2^30 microseconds, about 18 minutes; what is longer falls into the last bucket. */
const octaves = 30;

/** Durations in buckets that grow with the value, so that a quantile costs little memory and a record some nanoseconds. */
export class Histogram {
  readonly #buckets = new Uint32Array(octaves * steps);
  #count = 0;
  #max = 0;

  record(ms: number): void {
    this.#count++;
    if (ms > this.#max) this.#max = ms;
    const index = bucketOf(ms * 1000);
    this.#buckets[index] = (this.#buckets[index] as number) + 1;
  }

  snapshot(): HistogramSnapshot {
    return {
      count: this.#count,
      p50: this.#quantile(0.5),
      p90: this.#quantile(0.9),
      p99: this.#quantile(0.99),
      max: this.#max,
    };
  }

  /** The upper end of the bucket that holds the value of this rank. */
  #quantile(share: number): number {
    let left = Math.ceil(share * this.#count);
    if (left === 0) return 0;
    for (let index = 0; index < this.#buckets.length; index++) {
      left -= this.#buckets[index] as number;
      if (left <= 0) return Math.min(this.#max, upperEnd(index) / 1000);
    }
    return this.#max;
  }
}

/** The highest bit of the microseconds is the octave, the four bits below it are the step. */
function bucketOf(microseconds: number): number {
  // The fewest bits that hold an octave and a step: below 16, those of sixteenths.
  const fine = microseconds < steps;
  const whole = fine ? (microseconds * steps) | 0 : microseconds < 2 ** octaves ? microseconds | 0 : 2 ** octaves - 1;
  if (whole < (fine ? steps : 1)) return 0;
  const highest = 31 - Math.clz32(whole);
  return (fine ? highest - 4 : highest) * steps + ((whole >> (highest - 4)) & 15);
}

function upperEnd(index: number): number {
  const octave = Math.floor(index / steps);
  return 2 ** octave * (1 + ((index % steps) + 1) / steps);
}
