import type {
  CallRecord,
  CutRecord,
  EndRecord,
  HandOut,
  HistoryRecord,
  PopRecord,
  PushRecord,
  SettleRecord,
  Span,
} from './history.ts';

/** A hand-out, and the call that brought it. */
export interface SeenHandOut extends HandOut {
  readonly pop: PopRecord;
}

/** A history, looked up by event, hand-out and connection. */
export class HistoryIndex {
  readonly pushes = new Map<string, PushRecord>();
  readonly pops: PopRecord[] = [];
  /** Pops that have ended, and brought nothing. */
  readonly emptyPops: PopRecord[] = [];
  readonly cuts: CutRecord[] = [];
  readonly ends: EndRecord[] = [];
  readonly calls: CallRecord[] = [];
  readonly settlements: SettleRecord[] = [];
  /** The hand-outs of each event, in their order. */
  readonly #handOuts = new Map<string, SeenHandOut[]>();
  readonly #settlementsOf = new Map<number, SettleRecord[]>();

  constructor(history: readonly HistoryRecord[]) {
    for (const record of history) this.#add(record);
    // Attempts count hand-outs; when they are seen depends on whose answer travelled longer.
    for (const list of this.#handOuts.values()) list.sort((a, b) => a.attempt - b.attempt || a.pop.ended - b.pop.ended);
  }

  get handedOut(): ReadonlyMap<string, readonly SeenHandOut[]> {
    return this.#handOuts;
  }

  handOutsOf(event: string): readonly SeenHandOut[] {
    return this.#handOuts.get(event) ?? [];
  }

  /**
   * The first handing-out of `event`, if it was seen. One whose answer was lost was seen by nobody: what is known of where
   * the event was, and when, ends there.
   */
  firstOf(event: string): SeenHandOut | undefined {
    return this.handOutsOf(event).find(({ attempt }) => attempt === 1);
  }

  /**
   * How many events may have been away during a span without anybody having seen them: a pop that brings nothing, because
   * its time or its connection has ended, may have taken one all the same, which comes back as if it had not been handed
   * out, `patienceMs` later at the most. What a crash takes along comes back with another attempt.
   */
  mayBeAway({ ended, beganMs }: Pick<Span, 'ended' | 'beganMs'>, patienceMs: number): number {
    return this.emptyPops.filter((pop) => pop.began < ended && pop.endedMs + patienceMs >= beganMs).length;
  }

  settlementsOf({ number }: HandOut): readonly SettleRecord[] {
    return this.#settlementsOf.get(number) ?? [];
  }

  /** The settlement that has certainly made the queue forget the event. */
  conclusionOf(handOut: HandOut): SettleRecord | undefined {
    return this.settlementsOf(handOut).find(({ kind, outcome }) => kind !== 'nack' && outcome === 'ok');
  }

  #add(record: HistoryRecord): void {
    switch (record.kind) {
      case 'push':
        this.pushes.set(record.event, record);
        this.calls.push(record);
        break;
      case 'pop':
        this.pops.push(record);
        this.calls.push(record);
        if (record.handOut === undefined) {
          if (record.ended !== Infinity) this.emptyPops.push(record);
        } else {
          append(this.#handOuts, record.handOut.event, { ...record.handOut, pop: record });
        }
        break;
      case 'cut':
        this.cuts.push(record);
        break;
      case 'close':
      case 'crash':
        this.ends.push(record);
        break;
      default:
        append(this.#settlementsOf, record.handOut, record);
        this.settlements.push(record);
        this.calls.push(record);
    }
  }
}

/** Adds `value` to the list of `key`. */
export function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
