import type { NqError } from '@nq/core';
import { Receipt, type SettlementKind, SharedLease } from './receipt.ts';

/** In place of a delay: nobody was given the element, so that it goes back as it was. */
export const unseen = -1;

/** An element on its way back. */
export interface ReturnedElement {
  readonly receipt: Receipt;
  /** In milliseconds; or {@link unseen}. */
  readonly delayMs: number;
  /** The head of the dead letter that it becomes; empty if it becomes none. */
  readonly letter: string;
}

/** An element that is ours, as it is in the list. */
export interface ClaimedElement {
  readonly receipt: Receipt;
  readonly bytes: Buffer;
}

/** What a claim has brought. */
export interface Claimed {
  readonly elements: readonly ClaimedElement[];
  /** In how many milliseconds a lease or a delay will be over that is known now; -1 if there is none. */
  readonly nextMs: number;
}

/** What Redis has answered to a claim. */
export interface ClaimAnswer {
  readonly nextMs: number;
  /** How many elements were taken. */
  readonly count: number;
  /** These; none if they are gone again. */
  readonly elements: readonly Buffer[];
}

type MakeError = (verb: string) => NqError;

/** Somebody who waits for an answer. */
class Waiting<Result> {
  readonly promise: Promise<Result>;
  resolve!: (result: Result) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** The answers for several receipts that one caller waits for: of each, whether it was still ours. */
class Answers extends Waiting<boolean[]> {
  readonly #answers: boolean[] = [];
  #left: number;

  constructor(count: number) {
    super();
    this.#left = count;
    if (count === 0) this.resolve(this.#answers);
  }

  set(place: number, ours: boolean): void {
    this.#answers[place] = ours;
    if (--this.#left === 0) this.resolve(this.#answers);
  }
}

type Verb = 'ack' | 'nack' | 'extend';

/** What is asked for one receipt. */
class ReceiptCall {
  readonly verb: Verb;
  readonly receipt: Receipt;
  /** What the script is given for it, beside where it is. */
  readonly args: readonly (string | number)[];
  /** What becomes of the event; `undefined` if its lease is renewed. */
  readonly settlement: SettlementKind | undefined;
  /** When nobody waits any more, in the time of the clock. */
  readonly deadline: number;
  /** Whether nobody waits any more. */
  abandoned = false;
  readonly #answers: Answers;
  readonly #place: number;

  constructor(ask: SharedAnswer, receipt: Receipt, args: readonly (string | number)[], place: number) {
    this.verb = ask.verb;
    this.settlement = ask.verb === 'nack' ? settlementOf(args) : ask.verb === 'ack' ? 'acknowledged' : undefined;
    this.deadline = ask.deadline;
    this.receipt = receipt;
    this.args = args;
    this.#answers = ask.answers;
    this.#place = place;
  }

  answer(ours: boolean): void {
    if (!this.abandoned) this.#answers.set(this.#place, ours);
    else if (ours) this.receipt.settledAs = this.settlement;
  }

  abandon(makeError: MakeError): void {
    this.abandoned = true;
    this.#answers.reject(makeError(this.verb));
  }
}

/** What a return makes of its event. */
function settlementOf([delayMs = 0, letter]: readonly (string | number)[]): SettlementKind {
  if (letter !== '') return 'buried';
  return Number(delayMs) > 0 ? 'delayed' : 'returned';
}

const noArgs: readonly never[] = [];

/** The acknowledgements of what was handed out together. */
class AckGroup {
  readonly lease: SharedLease;
  readonly calls: ReceiptCall[] = [];
  #inOrder = true;

  constructor(lease: SharedLease) {
    this.lease = lease;
  }

  add(call: ReceiptCall): void {
    this.#inOrder &&= call.receipt.place === this.calls.length;
    this.calls.push(call);
  }

  /** Whether all of the list is acknowledged, place by place. */
  get isWhole(): boolean {
    return this.#inOrder && this.calls.length === this.lease.count;
  }
}

/** What the calls for several receipts share. */
interface SharedAnswer {
  readonly verb: Verb;
  readonly deadline: number;
  readonly answers: Answers;
}

/** Whoever waits for elements. */
class ClaimCall extends Waiting<Claimed | undefined> {
  readonly verb = 'pop';
  readonly max: number;
  /** As of a {@link ReceiptCall}. */
  readonly deadline: number;
  abandoned = false;

  constructor(max: number, deadline: number) {
    super();
    this.max = max;
    this.deadline = deadline;
  }

  abandon(makeError: MakeError): void {
    this.abandoned = true;
    this.reject(makeError(this.verb));
  }
}

/** What goes to Redis together, and who waits for the answer. */
export class ConsumerRequest {
  /** Whether Redis shall look for what is over. */
  tends = false;
  #acks: ReceiptCall[] = [];
  #returns: ReceiptCall[] = [];
  #renewals: ReceiptCall[] = [];
  #claim: ClaimCall | undefined;
  #callsAnswered = false;

  /** Each resolves whether the receipts were still ours. */
  ack(receipts: readonly Receipt[], deadline: number): Promise<boolean[]> {
    const asked: SharedAnswer = { verb: 'ack', deadline, answers: new Answers(receipts.length) };
    for (const [place, receipt] of receipts.entries()) {
      this.#acks.push(new ReceiptCall(asked, receipt, noArgs, place));
    }
    return asked.answers.promise;
  }

  giveBack(returns: readonly ReturnedElement[], deadline: number): Promise<boolean[]> {
    const asked: SharedAnswer = { verb: 'nack', deadline, answers: new Answers(returns.length) };
    for (const [place, { receipt, delayMs, letter }] of returns.entries()) {
      this.#returns.push(new ReceiptCall(asked, receipt, [delayMs, letter], place));
    }
    return asked.answers.promise;
  }

  renew(receipts: readonly Receipt[], ms: number, deadline: number): Promise<boolean[]> {
    const asked: SharedAnswer = { verb: 'extend', deadline, answers: new Answers(receipts.length) };
    for (const [place, receipt] of receipts.entries()) {
      this.#renewals.push(new ReceiptCall(asked, receipt, [ms], place));
    }
    return asked.answers.promise;
  }

  /** Takes the place of a claim before it, for which nobody waits any more. */
  claim(max: number, deadline: number, signal: AbortSignal): Promise<Claimed | undefined> {
    const call = new ClaimCall(max, deadline);
    this.#claim = call;
    const giveUp = (): void => {
      call.abandoned = true;
      call.resolve(undefined);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const forget = (): void => signal.removeEventListener('abort', giveUp);
    call.promise.then(forget, forget);
    return call.promise;
  }

  /** Whether there is nothing to ask for. */
  get isEmpty(): boolean {
    return !this.tends && this.#calls().every(({ abandoned }) => abandoned);
  }

  /** What the script is given after its first six arguments. Answers at once what is known already. */
  toArguments(): (string | number)[] {
    this.#acks = this.#acks.filter(isOpen);
    this.#returns = this.#returns.filter(isOpen).sort(inOrderOfHandOuts);
    this.#renewals = this.#renewals.filter(isOpen);
    if (this.#claim?.abandoned === true) this.#claim = undefined;
    const groups = groupByLease(this.#acks);
    if (groups.length > 1) this.#acks = groups.flatMap(({ calls }) => calls);
    const ended = [...this.#acks, ...this.#returns].flatMap(({ receipt }) => receipt.ownLease ?? []);
    for (const { receipt } of this.#renewals) receipt.renewed = true;
    const counts = [ended.length, groups.length, this.#returns.length, this.#renewals.length];
    const args = [this.max > 0 || this.tends ? 1 : 0, ...counts, ...ended];
    for (const { lease, calls, isWhole } of groups) {
      args.push(lease.first, lease.count, isWhole ? 0 : calls.length);
      if (!isWhole) for (const { receipt } of calls) args.push(receipt.place);
    }
    for (const { receipt, args: own } of [...this.#returns, ...this.#renewals]) {
      args.push(receipt.lease.first, receipt.lease.count, receipt.place, ...own);
    }
    return args;
  }

  /** How many elements are asked for. */
  get max(): number {
    return this.#claim === undefined || this.#claim.abandoned ? 0 : this.#claim.max;
  }

  /**
   * Answers everybody but the claim. What is answered again, because the request was sent again, tells nobody anything new.
   *
   * @param late the places of the calls that found nothing, from 1, separated by commas.
   * @param most how many calls were dealt with, if not all were.
   */
  answerCalls(late: string, most = Infinity): void {
    if (this.#callsAnswered) return;
    this.#callsAnswered = true;
    const lost = new Set(late === '' ? [] : late.split(',').map(Number));
    let calls = 0;
    for (const call of this.#receiptCalls()) if (++calls <= most) call.answer(!lost.has(calls));
  }

  /** @returns what was taken, and nobody waits for. @param first the number of the first hand-out. */
  answerClaim(consumer: string, first: number, { nextMs, count, elements }: ClaimAnswer): readonly ClaimedElement[] {
    if (this.#claim === undefined) return [];
    const lease = new SharedLease(consumer, first, count);
    const claimed = elements.map((bytes, place) => ({ receipt: new Receipt(lease, place), bytes }));
    if (this.#claim.abandoned) return claimed;
    this.#claim.resolve({ elements: claimed, nextMs });
    return [];
  }

  /** Rejects everybody. */
  fail(makeError: MakeError): void {
    for (const call of this.#calls()) if (!call.abandoned) call.abandon(makeError);
  }

  /** Rejects those who have waited too long. */
  abandon(now: number, makeError: MakeError): void {
    for (const call of this.#calls()) if (!call.abandoned && call.deadline <= now) call.abandon(makeError);
  }

  /** In the order in which the script is given them. */
  #receiptCalls(): readonly ReceiptCall[] {
    return [...this.#acks, ...this.#returns, ...this.#renewals];
  }

  #calls(): readonly (ReceiptCall | ClaimCall)[] {
    return this.#claim === undefined ? this.#receiptCalls() : [...this.#receiptCalls(), this.#claim];
  }
}

/** No receipt comes twice: what settles it again has given up the first time. */
function groupByLease(calls: readonly ReceiptCall[]): readonly AckGroup[] {
  const groups = new Map<SharedLease, AckGroup>();
  let last: AckGroup | undefined;
  for (const call of calls) {
    const { lease } = call.receipt;
    if (last?.lease !== lease) last = groups.get(lease);
    if (last === undefined) groups.set(lease, (last = new AckGroup(lease)));
    last.add(call);
  }
  return [...groups.values()];
}

/** What goes back together is taken again as it was taken before; dead letters stay in the order in which they died. */
function inOrderOfHandOuts(a: ReceiptCall, b: ReceiptCall): number {
  const [aDies, bDies] = [a, b].map(({ args }) => args[1] !== '');
  if (aDies || bDies) return Number(aDies) - Number(bDies);
  return a.receipt.number - b.receipt.number;
}

/** Whether Redis has to be asked. Whoever asks again after an answer that came too late is told what it was. */
function isOpen(call: ReceiptCall): boolean {
  if (call.abandoned) return false;
  const { settledAs } = call.receipt;
  if (settledAs === undefined) return true;
  call.answer(settledAs === call.settlement);
  return false;
}
