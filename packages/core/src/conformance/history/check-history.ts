import type { Capabilities } from '../../capabilities.ts';
import { type HistoryRecord, type PopRecord, type PushRecord, type SettleRecord, showRecord } from './history.ts';
import { append, HistoryIndex, type SeenHandOut } from './history-index.ts';

/** What can be wrong with a history. */
export type AnomalyKind =
  | 'invention'
  | 'corruption'
  | 'phantom'
  | 'loss'
  | 'resurrection'
  | 'duplicate'
  | 'reorder'
  | 'over-capacity'
  | 'false-empty'
  | 'hang'
  | 'use-after-close';

/** Something that no correct queue does. */
export interface Anomaly {
  readonly kind: AnomalyKind;
  /** What was observed, as a sentence. */
  readonly observed: string;
  /** The records that prove it, and no others. */
  readonly witness: readonly HistoryRecord[];
}

/** How much happened: of a history in which little happened, little can be told. */
export interface HistoryCounts {
  /** Pushes that resolved. */
  readonly stored: number;
  /** Pushes that may or may not have stored their event. */
  readonly uncertain: number;
  readonly handOuts: number;
  /** Hand-outs of an event that had been handed out before. */
  readonly redeliveries: number;
  /** Acknowledgements that resolved. */
  readonly acknowledged: number;
  /** Cuts during which a call failed. */
  readonly cutsFelt: number;
  /** First deliveries whose place in the order can be judged: no pop that brought nothing may have had an earlier event. */
  readonly ordered: number;
}

/** What the history is judged by. */
export interface Expectations {
  readonly order: Capabilities['order'];
  readonly ack: Capabilities['ack'];
  /** How long a delivery is its holder's, in milliseconds; `false` if that does not end by time. */
  readonly leaseMs: number | false;
  /** How many ready and delayed events fit; `Infinity` if nobody counts. */
  readonly capacity: number;
  /**
   * How long what must happen may take, in milliseconds: an empty answer after a shorter wait proves nothing, and what was
   * taken for a pop that brought nothing may be away for so long after it.
   */
  readonly patienceMs: number;
  /** Whether it is certain that the queue was empty at the end: only then is something lost that did not come. */
  readonly drained: boolean;
  /** How much must have happened at the least. */
  readonly minimum?: Partial<HistoryCounts>;
}

/** What can be said of a history. */
export interface HistoryVerdict {
  /** `unknown`: nothing is wrong with it, but it proves too little. */
  readonly verdict: 'sound' | 'broken' | 'unknown';
  readonly anomalies: readonly Anomaly[];
  /** Why it proves too little. */
  readonly missing: readonly string[];
  readonly counts: HistoryCounts;
}

/** Tells whether a correct queue can have had `history`. Pure: the same history, the same verdict. */
export function checkHistory(history: readonly HistoryRecord[], expectations: Expectations): HistoryVerdict {
  const index = new HistoryIndex(history);
  const checks = [
    hangs,
    inventions,
    phantoms,
    losses,
    repetitions,
    reorders,
    overCapacity,
    falseEmpties,
    usesAfterClose,
  ];
  const anomalies = checks.flatMap((check) => check(index, expectations));
  const counts = countsOf(index, expectations);
  const missing = Object.entries(expectations.minimum ?? {}).flatMap(([name, least]) => {
    const count = counts[name as keyof HistoryCounts];
    return count < least ? [`${name} was ${count}, at least ${least} are needed`] : [];
  });
  if (!expectations.drained) missing.push('it is not certain that the queue was empty at the end');
  const verdict = anomalies.length > 0 ? 'broken' : missing.length > 0 ? 'unknown' : 'sound';
  return { verdict, anomalies, missing, counts };
}

/** What is wrong, with its proof, as a text for people. */
export function showAnomaly({ kind, observed, witness }: Anomaly): string {
  return `${kind}: ${observed} [${witness.map(showRecord).join(' | ')}]`;
}

function countsOf(index: HistoryIndex, expectations: Expectations): HistoryCounts {
  const { pushes, handedOut, calls, cuts, settlements } = index;
  const pushed = [...pushes.values()];
  const handOuts = [...handedOut.values()].reduce((sum, { length }) => sum + length, 0);
  return {
    stored: pushed.filter(({ outcome }) => outcome === 'ok').length,
    uncertain: pushed.filter(({ outcome }) => outcome === 'unknown').length,
    handOuts,
    redeliveries: handOuts - handedOut.size,
    acknowledged: settlements.filter(({ kind, outcome }) => kind === 'ack' && outcome === 'ok').length,
    cutsFelt: cuts.filter((cut) =>
      calls.some((call) => call.outcome !== 'ok' && call.began < cut.ended && call.ended > cut.began),
    ).length,
    ordered: pushed.filter((push) => {
      const first = index.firstOf(push.event);
      return push.outcome === 'ok' && first !== undefined && isOrdered(index, { push, first }, expectations);
    }).length,
  };
}

/** An event that was accepted, and its first handing-out. */
interface Arrival {
  readonly push: PushRecord;
  readonly first: SeenHandOut;
}

/** Whether no pop that brought nothing can have had an earlier event when this one was handed out for the first time. */
function isOrdered(
  index: HistoryIndex,
  { push, first: { pop } }: Arrival,
  { order, patienceMs }: Expectations,
): boolean {
  // What is away of a key holds up those behind it.
  if (order !== 'fifo') return order === 'key';
  // However long the pop had waited, it was not handed out before it was pushed.
  const beganMs = Math.max(pop.beganMs, push.beganMs);
  return index.mayBeAway({ ended: pop.ended, beganMs }, patienceMs) === 0;
}

function hangs({ calls }: HistoryIndex): Anomaly[] {
  const hung = calls.filter(({ outcome }) => outcome === 'hung') as (PushRecord | PopRecord | SettleRecord)[];
  return hung.map((call) => ({ kind: 'hang', observed: `a ${call.kind} never settled`, witness: [call] }));
}

/** Events that nobody has pushed, or not yet, or that are not as they were pushed. */
function inventions(index: HistoryIndex): Anomaly[] {
  const anomalies: Anomaly[] = [];
  for (const [event, handOuts] of index.handedOut) {
    const push = index.pushes.get(event);
    const early = handOuts.find(({ pop }) => push === undefined || pop.ended < push.began);
    if (early !== undefined) {
      const when = push === undefined ? 'although nobody has pushed it' : 'before it was pushed';
      const witness = push === undefined ? [early.pop] : [early.pop, push];
      anomalies.push({ kind: 'invention', observed: `${event} came out ${when}`, witness });
    }
    const changed = handOuts.find(({ intact }) => !intact);
    if (push !== undefined && changed !== undefined) {
      const observed = `${event} came out otherwise than it was pushed`;
      anomalies.push({ kind: 'corruption', observed, witness: [push, changed.pop] });
    }
  }
  return anomalies;
}

/** Events that are said not to be stored, and come out. */
function phantoms(index: HistoryIndex): Anomaly[] {
  return [...index.pushes.values()].flatMap((push): Anomaly[] => {
    const [handOut] = index.handOutsOf(push.event);
    if (push.outcome !== 'refused' || handOut === undefined) return [];
    const observed = `${push.event} came out although its push rejected ${push.error}, which says that it is not stored`;
    return [{ kind: 'phantom', observed, witness: [push, handOut.pop] }];
  });
}

/** Events that were accepted, and are neither done nor in the queue. */
function losses(index: HistoryIndex, expectations: Expectations): Anomaly[] {
  if (!expectations.drained) return [];
  const stored = [...index.pushes.values()].filter(({ outcome }) => outcome === 'ok').sort((a, b) => a.began - b.began);
  return stored
    .filter(({ event }) => !index.handOutsOf(event).some((handOut) => mayBeDone(index, handOut, expectations)))
    .map((push) => {
      const others = stored.filter(({ by }) => by === push.by);
      const came = others.filter(({ event }) => index.handOutsOf(event).length > 0);
      const before = came.some(({ began }) => began < push.began);
      const after = came.some(({ began }) => began > push.began);
      const place = after ? (before ? 'in the middle' : 'at the beginning') : 'at the end';
      const handOuts = index.handOutsOf(push.event);
      const seen = handOuts.length === 0 ? 'it never came out' : 'it came out, was not settled, and never came back';
      const observed = `${push.event} was accepted, ${place} of what ${push.by} has pushed, and is lost: ${seen}`;
      const settlements = handOuts.flatMap((handOut) => index.settlementsOf(handOut));
      return { kind: 'loss', observed, witness: [push, ...handOuts.map(({ pop }) => pop), ...settlements] };
    });
}

/** Whether the queue may have forgotten the event of `handOut` because it was told to. */
function mayBeDone(index: HistoryIndex, handOut: SeenHandOut, { ack }: Expectations): boolean {
  const told = ({ kind, outcome }: SettleRecord): boolean => kind !== 'nack' && outcome !== 'refused';
  if (index.settlementsOf(handOut).some(told)) return true;
  if (ack === 'individual') return false;
  // What comes later on a connection is acknowledged together with what came before.
  const { connection, began } = handOut.pop;
  return index.pops.some(
    (pop) =>
      pop.handOut !== undefined &&
      pop.connection === connection &&
      pop.began > began &&
      index.settlementsOf(pop.handOut).some(told),
  );
}

/** Events that come out again although they are done, or although somebody holds them. */
function repetitions(index: HistoryIndex, expectations: Expectations): Anomaly[] {
  const anomalies: Anomaly[] = [];
  for (const [event, handOuts] of index.handedOut) {
    const push = index.pushes.get(event);
    // It may have been stored twice: whoever pushed it was told to expect that.
    if (push === undefined || push.outcome === 'unknown') continue;
    for (const [place, handOut] of handOuts.entries()) {
      const before = handOuts.slice(0, place);
      const done = before.find((earlier) => isDoneBefore(index, earlier, handOut));
      const held = before.find((earlier) => isHeldDuring(index, expectations, push, earlier, handOut));
      const [earlier, kind] = done === undefined ? [held, 'duplicate' as const] : [done, 'resurrection' as const];
      if (earlier === undefined) continue;
      const observed =
        done === undefined
          ? `${event} was handed out again although it was held by ${earlier.pop.by}: no nack, no end of a lease, no crash`
          : `${event} came out again after it was settled for good${mayBeTwin(earlier, handOut) ? ', or it was stored twice' : ''}`;
      const witness = [push, earlier.pop, ...index.settlementsOf(earlier), handOut.pop];
      anomalies.push({ kind, observed, witness });
      break;
    }
  }
  return anomalies;
}

/** Whether `later` may be of another copy of the event: one copy is never handed out with the same attempt again. */
function mayBeTwin(earlier: SeenHandOut, later: SeenHandOut): boolean {
  return later.attempt <= earlier.attempt;
}

/** Whether the queue had confirmed that it has forgotten the event of `earlier`, before it handed it out again as `later`. */
function isDoneBefore(index: HistoryIndex, earlier: SeenHandOut, later: SeenHandOut): boolean {
  const conclusion = index.conclusionOf(earlier);
  // An event that is done is handed out no more: a higher attempt comes after the settlement, whenever it was asked for.
  return conclusion !== undefined && (later.pop.began > conclusion.ended || later.attempt > earlier.attempt);
}

/** Whether nothing can have ended the holding of `earlier` before the event was handed out as `later`. */
function isHeldDuring(
  index: HistoryIndex,
  { leaseMs }: Expectations,
  push: PushRecord,
  earlier: SeenHandOut,
  later: SeenHandOut,
): boolean {
  const until = later.pop.ended;
  const isBack = index
    .settlementsOf(earlier)
    .some(({ kind, outcome, began }) => kind === 'nack' && outcome !== 'refused' && began < until);
  const { connection, began } = earlier.pop;
  const isEnded = index.ends.some((end) => end.connection === connection && end.ended > began && end.began < until);
  if (isBack || isEnded) return false;
  // Without a lease it is the connections that count, and a group that learns of a lost one may do so late.
  if (leaseMs === false) return ![...index.cuts, ...index.ends].some((fault) => fault.began < until);
  // It cannot have been handed out before it was asked for, nor before it was pushed. Clocks are off by a millisecond.
  const since = Math.max(earlier.pop.beganMs, push.beganMs);
  return later.pop.endedMs - since < leaseMs - 1;
}

/**
 * First deliveries that came against the order of the pushes: a push had resolved before another was called, and the event
 * of the other was there before the event of the first was even asked for; and no pop that brought nothing can have had
 * the first meanwhile. A sweep: n log n.
 */
function reorders(index: HistoryIndex, expectations: Expectations): Anomaly[] {
  const { order } = expectations;
  if (order === 'none') return [];
  const lanes = new Map<string | undefined, Arrival[]>();
  for (const push of index.pushes.values()) {
    const first = index.firstOf(push.event);
    if (push.outcome !== 'ok' || first === undefined) continue;
    if (order === 'fifo') append(lanes, undefined, { push, first });
    else if (push.key !== undefined) append(lanes, push.key, { push, first });
  }
  return [...lanes.values()].flatMap((lane): Anomaly[] => {
    const byCall = lane.toSorted((a, b) => a.push.began - b.push.began);
    const byAnswer = lane.toSorted((a, b) => a.push.ended - b.push.ended);
    let next = 0;
    let latest: Arrival | undefined;
    for (const later of byCall) {
      for (; next < byAnswer.length; next++) {
        const earlier = byAnswer[next] as Arrival;
        if (earlier.push.ended >= later.push.began) break;
        if (latest === undefined || earlier.first.pop.began > latest.first.pop.began) latest = earlier;
      }
      const { pop } = later.first;
      if (latest === undefined || pop.ended >= latest.first.pop.began) continue;
      if (!isOrdered(index, later, expectations)) continue;
      const observed = `${later.push.event} came out before ${latest.push.event}, which was pushed before it`;
      return [{ kind: 'reorder', observed, witness: [latest.push, later.push, pop, latest.first.pop] }];
    }
    return [];
  });
}

/**
 * More events in the queue than fit: counted are only those that were certainly there, accepted and never handed out, and
 * that no pop which brought nothing can have had when one of them was stored.
 */
function overCapacity(index: HistoryIndex, { capacity, patienceMs }: Expectations): Anomaly[] {
  if (capacity === Infinity) return [];
  const steps = [...index.pushes.values()].flatMap((push) => {
    const first = index.firstOf(push.event);
    if (push.outcome !== 'ok' || first === undefined || first.pop.began < push.ended) return [];
    return [
      { at: push.ended, push },
      { at: first.pop.began, push: undefined },
    ];
  });
  let inside = 0;
  for (const { push } of steps.sort((a, b) => a.at - b.at)) {
    inside += push === undefined ? -1 : 1;
    if (push === undefined || inside <= capacity) continue;
    // What is away makes room for others, and then comes back.
    if (inside <= capacity + index.mayBeAway(push, patienceMs)) continue;
    const observed = `${inside} events were in the queue at once, ${capacity} fit`;
    return [{ kind: 'over-capacity', observed, witness: [push] }];
  }
  return [];
}

/**
 * Pops that found nothing although an event was there all the time, and nobody took it. Where events are divided among
 * connections, it may have been there for another one.
 */
function falseEmpties(index: HistoryIndex, { patienceMs, order }: Expectations): Anomaly[] {
  if (order !== 'fifo') return [];
  return index.pops.flatMap((pop): Anomaly[] => {
    const tookMs = pop.endedMs - pop.beganMs;
    const isEarly = tookMs < pop.timeoutMs - 1;
    if (pop.outcome !== 'ok' || pop.handOut !== undefined || !(isEarly || tookMs >= patienceMs - 1)) return [];
    if (index.cuts.some(({ began, ended }) => began < pop.ended && ended > pop.began)) return [];
    for (const push of index.pushes.values()) {
      const first = index.firstOf(push.event);
      if (push.outcome !== 'ok' || push.ended > pop.began || first === undefined || first.pop.began < pop.ended)
        continue;
      const observed = `a pop found nothing after ${Math.round(tookMs)} of ${pop.timeoutMs} ms although ${push.event} was there`;
      return [{ kind: 'false-empty', observed, witness: [push, pop, first.pop] }];
    }
    return [];
  });
}

/** Calls that succeeded on a connection that was closed before. */
function usesAfterClose({ calls, ends }: HistoryIndex): Anomaly[] {
  const closes = ends.filter(({ kind }) => kind === 'close');
  return calls.flatMap((call): Anomaly[] => {
    const close = closes.find(({ connection, ended }) => connection === call.connection && ended < call.began);
    if (close === undefined || call.outcome !== 'ok') return [];
    const record = call as PushRecord | PopRecord | SettleRecord;
    const observed = `a ${record.kind} succeeded on a connection that was closed`;
    return [{ kind: 'use-after-close', observed, witness: [close, record] }];
  });
}
