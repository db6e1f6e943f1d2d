import type { NqError } from '@nq/core';
import { Receipt, SharedLease } from './receipt.ts';

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

/** What Redis has answered. */
export interface ConsumerAnswer {
  /** The places of the calls that found nothing, from 1, separated by commas. */
  readonly late: string;
  readonly nextMs: number;
  /** What was taken; `null` where it is gone again. */
  readonly elements: readonly (Buffer | null)[];
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
  /** What the script is given for it. */
  readonly args: readonly (string | number)[];
  /** When nobody waits any more, in the time of the clock. */
  readonly deadline: number;
  /** Whether nobody waits any more. */
  abandoned = false;
  readonly #answers: Answers;
  readonly #place: number;

  constructor(ask: Asked, receipt: Receipt, args: readonly (string | number)[], place: number) {
    this.verb = ask.verb;
    this.deadline = ask.deadline;
    this.receipt = receipt;
    this.args = args;
    this.#answers = ask.answers;
    this.#place = place;
  }

  answer(ours: boolean): void {
    if (!this.abandoned) this.#answers.set(this.#place, ours);
    else if (ours && this.verb !== 'extend') this.receipt.settledBy = this.verb;
  }

  abandon(makeError: MakeError): void {
    this.abandoned = true;
    this.#answers.reject(makeError(this.verb));
  }
}

/** What the calls for several receipts share. */
interface Asked {
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

  /** Each resolves whether the receipts were still ours. */
  ack(receipts: readonly Receipt[], deadline: number): Promise<boolean[]> {
    const asked: Asked = { verb: 'ack', deadline, answers: new Answers(receipts.length) };
    for (const [place, receipt] of receipts.entries()) {
      this.#acks.push(new ReceiptCall(asked, receipt, [receipt.field], place));
    }
    return asked.answers.promise;
  }

  giveBack(returns: readonly ReturnedElement[], deadline: number): Promise<boolean[]> {
    const asked: Asked = { verb: 'nack', deadline, answers: new Answers(returns.length) };
    for (const [place, { receipt, delayMs, letter }] of returns.entries()) {
      this.#returns.push(new ReceiptCall(asked, receipt, [receipt.field, delayMs, letter], place));
    }
    return asked.answers.promise;
  }

  renew(receipts: readonly Receipt[], ms: number, deadline: number): Promise<boolean[]> {
    const asked: Asked = { verb: 'extend', deadline, answers: new Answers(receipts.length) };
    for (const [place, receipt] of receipts.entries()) {
      this.#renewals.push(new ReceiptCall(asked, receipt, [receipt.field, ms], place));
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
    const ended: string[] = [];
    for (const { receipt } of this.#acks) receipt.leave(ended);
    for (const { receipt } of this.#returns) receipt.leave(ended);
    for (const { receipt } of this.#renewals) receipt.renewed = true;
    const max = this.#claim?.max ?? 0;
    const counts = [ended.length, this.#acks.length, this.#returns.length, this.#renewals.length];
    const args = [max > 0 || this.tends ? 1 : 0, ...counts, ...ended];
    for (const call of this.#receiptCalls()) args.push(...call.args);
    args.push(...this.#tellingLeases());
    return args;
  }

  /** How many elements are asked for. */
  get max(): number {
    return this.#claim === undefined || this.#claim.abandoned ? 0 : this.#claim.max;
  }

  /** @returns what was taken, and nobody waits for. @param first the number of the first hand-out. */
  answer(consumer: string, first: number, { late, nextMs, elements }: ConsumerAnswer): readonly ClaimedElement[] {
    const lost = new Set(late === '' ? [] : late.split(',').map(Number));
    let place = 0;
    for (const call of this.#receiptCalls()) call.answer(!lost.has(++place));
    if (this.#claim === undefined) return [];
    const lease = new SharedLease(consumer, first, elements.length);
    const claimed: ClaimedElement[] = [];
    let number = first;
    for (const bytes of elements) {
      if (bytes !== null) claimed.push({ receipt: new Receipt(consumer, number, lease), bytes });
      number++;
    }
    if (this.#claim.abandoned) return claimed;
    this.#claim.resolve({ elements: claimed, nextMs });
    return [];
  }

  /** Rejects everybody. What was to be settled keeps its lease, or nobody would ever hand it out again. */
  fail(makeError: MakeError): void {
    for (const { receipt } of [...this.#acks, ...this.#returns]) receipt.stay();
    for (const call of this.#calls()) if (!call.abandoned) call.abandon(makeError);
  }

  /** Rejects those who have waited too long. */
  abandon(now: number, makeError: MakeError): void {
    for (const call of this.#calls()) if (!call.abandoned && call.deadline <= now) call.abandon(makeError);
  }

  /** The leases under which all was handed out that is acknowledged; none where that of some tells nothing. */
  #tellingLeases(): Iterable<string> {
    const members = new Set<string>();
    for (const { receipt } of this.#acks) {
      if (receipt.renewed || receipt.doubtful) return [];
      members.add(receipt.lease.member);
    }
    return this.#acks.length > 1 ? members : [];
  }

  /** In the order in which the script is given them. */
  #receiptCalls(): readonly ReceiptCall[] {
    return [...this.#acks, ...this.#returns, ...this.#renewals];
  }

  #calls(): readonly (ReceiptCall | ClaimCall)[] {
    return this.#claim === undefined ? this.#receiptCalls() : [...this.#receiptCalls(), this.#claim];
  }
}

/** What goes back together is taken again as it was taken before; dead letters stay in the order in which they died. */
function inOrderOfHandOuts(a: ReceiptCall, b: ReceiptCall): number {
  const [aDies, bDies] = [a, b].map(({ args }) => args[2] !== '');
  if (aDies || bDies) return Number(aDies) - Number(bDies);
  return a.receipt.number - b.receipt.number;
}

/** Whether Redis has to be asked. Whoever asks again after an answer that came too late is told what it was. */
function isOpen(call: ReceiptCall): boolean {
  if (call.abandoned) return false;
  const { settledBy } = call.receipt;
  if (settledBy === undefined) return true;
  call.answer(settledBy === call.verb);
  return false;
}
