import type { ObservedQueue } from '../observed-queue.ts';
import { needs } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { checkHistory, type HistoryVerdict } from './check-history.ts';
import type { Profile } from './profile.ts';
import { type Cut, type Held, Scene, type Seat } from './scene.ts';

/** What came of a workload. */
export interface WorkloadResult extends HistoryVerdict {
  /** How many events became dead letters. */
  readonly buried: number;
}

/**
 * Has producers and consumers work on the queue as `profile` says, empties it, and judges what was seen. Choices come from
 * the trial, so that a seed makes them again.
 *
 * @param connect makes another connection; called once if `canReconnect` is false.
 */
export async function runWorkload(
  trial: Trial,
  profile: Profile,
  connect: () => Promise<ObservedQueue<unknown>>,
  canReconnect: boolean = trial.capabilities.multiInstance,
): Promise<WorkloadResult> {
  const scene = new Scene(trial, connect, canReconnect);
  const workload = new Workload(scene, profile);
  const { drained, capacity } = await workload.run();
  const { order, ack, lease } = trial.capabilities;
  const verdict = checkHistory(scene.history, {
    order,
    ack,
    leaseMs: lease === false ? false : workload.leaseMs,
    capacity: needs.capacity.holds(trial.capabilities) ? capacity : Infinity,
    patienceMs: trial.timing.patienceMs,
    drained,
    minimum: attainable(profile, capacity),
  });
  trial.verified += verdict.counts.handOuts;
  return { ...verdict, buried: scene.buried };
}

/** What must have happened at the least. More than fits is not there at once, however many events there are. */
function attainable({ minimum, backlog }: Profile, capacity: number): Profile['minimum'] {
  const most = backlog ? capacity : Infinity;
  return Object.fromEntries(Object.entries(minimum).map(([name, least]) => [name, Math.min(least, most)]));
}

/** What a consumer does first: it gives an event back, gives one up, leaves with one, and acknowledges one. */
const starts = [0.08, 0.12, 0.18, 1];
/** How often a settlement is repeated whose outcome is not known. */
const settleTries = 20;

class Workload {
  readonly #scene: Scene;
  readonly #trial: Trial;
  readonly #profile: Profile;
  /** Aborted when everything is over: consumers wait no longer. */
  readonly #over = new AbortController();
  /** When each consumer last began a pop that found nothing, in milliseconds of the clock. */
  readonly #foundNothing = new Map<string, number>();
  #failure: { readonly error: unknown } | undefined;
  /** Whether events are only acknowledged from now on. */
  #calm = false;
  #disturbed = false;
  leaseMs = Infinity;

  constructor(scene: Scene, profile: Profile) {
    this.#scene = scene;
    this.#trial = scene.trial;
    this.#profile = profile;
  }

  async run(): Promise<{ readonly drained: boolean; readonly capacity: number }> {
    const { producers, consumers, cuts, backlog } = this.#profile;
    const first = await this.#scene.seat('the first producer');
    const { lease } = first.queue.capabilities;
    // A delivery whose answer is lost comes back at the end of its lease: one that is too long cannot be waited for.
    if (lease !== false) this.leaseMs = cuts > 0 ? this.#trial.leaseOf(first.queue) : lease.ms;
    if (cuts > 0) {
      await this.#trial.faults.delay(2);
      await this.#disturbOneByOne(first);
    }
    const seats = await this.#seats('producer', producers);
    const producing = seats.map((seat) => this.#guard(this.#produce(seat)));
    const disturbing = this.#guard(this.#disturb());
    await (backlog ? Promise.all(producing) : this.#filled());
    // A position in a log is one for all who share its connection.
    const alone = !this.#scene.canReconnect && this.#trial.capabilities.ack === 'cumulative';
    const consumerSeats = await this.#seats('consumer', alone ? 1 : consumers);
    const consuming = consumerSeats.map((seat) => this.#guard(this.#consume(seat)));
    await Promise.all([...producing, disturbing]);
    this.#calm = true;
    const drained = await this.#drained(consumerSeats.length);
    // What comes back although it is done, comes when its lease has ended.
    const { quietMs, longestLeaseMs } = this.#trial.timing;
    await this.#trial.wait(quietMs + (this.leaseMs <= longestLeaseMs ? this.leaseMs : 0));
    this.#over.abort(new Error('the workload is over'));
    await Promise.all(consuming);
    this.#throwFailure();
    return { drained, capacity: first.queue.capacity };
  }

  async #seats(role: string, count: number): Promise<Seat[]> {
    const seats: Seat[] = [];
    for (let number = 1; number <= count; number++) seats.push(await this.#scene.seat(`${role} ${number}`));
    return seats;
  }

  // --- faults one by one, so that each is certain to have happened

  async #disturbOneByOne(seat: Seat): Promise<void> {
    const { cuts } = this.#profile;
    await this.#store(seat, 3);
    for (let round = 0; round < Math.ceil(cuts / 4); round++) {
      await this.#pushWhileCut(seat);
      await this.#store(seat, 2);
    }
    const first = await this.#scene.seat('the first consumer');
    await this.#settleWhileCut(first);
    const consumer = await this.#crashed(first);
    await this.#popWhileCut(consumer);
    this.#calm = true;
    const leaving = new AbortController();
    const consuming = this.#guard(this.#consume(consumer, leaving.signal));
    await this.#drained(1);
    leaving.abort(new Error('the queue is empty'));
    await consuming;
    this.#throwFailure();
    this.#calm = false;
    this.#foundNothing.clear();
  }

  /** Pushes until `count` events were accepted: after a fault, some are refused until the connection is back. */
  async #store(seat: Seat, count: number): Promise<void> {
    const { patienceMs } = this.#trial.timing;
    const deadline = this.#now() + patienceMs;
    for (let stored = 0; stored < count;) {
      if ((await this.#scene.push(seat, this.#key(), patienceMs)) === 'ok') stored++;
      else if (this.#now() > deadline) return;
      else await this.#trial.wait(5);
    }
  }

  /** An answer is lost, a request is lost, and a push is made without a connection. */
  async #pushWhileCut(seat: Seat): Promise<void> {
    const { quietMs } = this.#trial.timing;
    const push = async (): Promise<void> => void (await this.#scene.push(seat, this.#key(), quietMs));
    await this.#scene.whileCut('cutBeforeAnswer', push);
    await this.#store(seat, 1);
    const sent = push();
    await this.#trial.wait(1);
    await this.#scene.whileCut('cut', () => sent);
    await this.#store(seat, 1);
    await this.#scene.whileCut('cut', push);
  }

  /** An event is held through a cut; an acknowledgement is made without a connection; the answer to one is lost. */
  async #settleWhileCut(seat: Seat): Promise<void> {
    const through = await this.#take(seat);
    if (through !== undefined) {
      await this.#scene.whileCut('cut', () => this.#trial.wait(1));
      await this.#conclude(through, 'ack');
    }
    for (const how of ['cut', 'cutBeforeAnswer'] as const) {
      const held = await this.#take(seat);
      if (held === undefined) return;
      let isDone = false;
      await this.#scene.whileCut(how, async () => {
        isDone = (await this.#scene.settle(held, 'ack')).outcome === 'ok';
      });
      if (!isDone) await this.#conclude(held, 'ack');
    }
    const returned = await this.#take(seat);
    if (returned !== undefined) await this.#conclude(returned, 'nack');
  }

  /** A consumer crashes with an event in its hands, where that can be done. @returns the one that follows it. */
  async #crashed(seat: Seat): Promise<Seat> {
    if (!this.#scene.canReconnect || !this.#trial.offers('crash')) return seat;
    const held = await this.#take(seat);
    if (held === undefined) return seat;
    await this.#scene.crash(seat);
    return this.#scene.seat(seat.by);
  }

  /** An event is handed out, and its holder hears nothing of it. */
  async #popWhileCut(seat: Seat): Promise<void> {
    const { quietMs } = this.#trial.timing;
    await this.#scene.whileCut('cutBeforeAnswer', async () => {
      const { held } = await this.#scene.pop(seat, quietMs);
      if (held !== undefined) await this.#conclude(held, 'ack');
    });
  }

  /** The next event that is certain to be stored, if one comes: after a fault, pops are refused until the connection is back. */
  async #take(seat: Seat): Promise<Held | undefined> {
    const { patienceMs } = this.#trial.timing;
    for (const deadline = this.#now() + patienceMs; this.#now() <= deadline;) {
      const { held } = await this.#scene.pop(seat, patienceMs);
      if (held === undefined) await this.#trial.wait(5);
      else if (this.#scene.isStored(held)) return held;
      else await this.#conclude(held, 'ack');
    }
    return undefined;
  }

  /** Cuts the connections now and then, while something is being pushed. */
  async #disturb(): Promise<void> {
    for (let left = this.#profile.cuts; left > 0 && this.#failure === undefined; left--) {
      await this.#waitUpTo(8);
      for (let turns = 0; turns < 20 && this.#scene.pushesUnderWay === 0; turns++) await this.#trial.wait(1);
      const how: Cut = left % 2 === 0 ? 'cutBeforeAnswer' : 'cut';
      await this.#scene.whileCut(how, () => this.#waitUpTo(10));
    }
    this.#disturbed = true;
  }

  // --- producers

  async #produce(seat: Seat): Promise<void> {
    const { events, volley } = this.#profile;
    const { patienceMs } = this.#trial.timing;
    const deadline = this.#now() + 4 * patienceMs;
    let volleys = 0;
    for (let made = 0; made < events || !this.#disturbed;) {
      if (this.#failure !== undefined || this.#now() > deadline) return;
      // All begin with a volley that is more than fits; later, sometimes two at once: they may travel together.
      const isFirst = volleys++ === 0;
      const together = isFirst ? volley : this.#chance(0.2) ? 2 : 1;
      const calls = Array.from({ length: together }, () =>
        this.#scene.push(seat, this.#key(), isFirst ? patienceMs : this.#pushTimeoutMs()),
      );
      const outcomes = await Promise.all(calls);
      const stored = outcomes.filter((outcome) => outcome === 'ok').length;
      made += stored;
      if (stored < outcomes.length || this.#chance(0.3)) await this.#waitUpTo(3);
    }
  }

  /** Resolves once producers wait for room, or have had the time for it: who consumes at once never sees a full queue. */
  async #filled(): Promise<void> {
    const { quietMs } = this.#trial.timing;
    for (let turns = 0; turns < 3 && this.#profile.cuts === 0; turns++) {
      const before = this.#scene.history.length;
      // A producer that waits for room asks for it now and then.
      await this.#trial.wait(2 * quietMs);
      if (this.#scene.history.length === before) return;
    }
  }

  /** Mostly as long as it takes; sometimes a little, or not at all. */
  #pushTimeoutMs(): number {
    const choice = this.#trial.random();
    return choice < 0.1 ? 0 : choice < 0.2 ? 5 : this.#trial.timing.patienceMs;
  }

  // --- consumers

  async #consume(first: Seat, leaving?: AbortSignal): Promise<void> {
    const { patienceMs } = this.#trial.timing;
    const signal = leaving === undefined ? this.#over.signal : AbortSignal.any([leaving, this.#over.signal]);
    let seat = first;
    // Who only empties the queue begins with nothing else.
    let handOuts = leaving === undefined ? 0 : starts.length;
    while (!signal.aborted && this.#failure === undefined) {
      const beganMs = this.#now();
      const { outcome, held } = await this.#scene.pop(seat, patienceMs, signal);
      if (held === undefined) {
        if (outcome === 'ok') this.#foundNothing.set(first.by, beganMs);
        // One that answers at once, empty or not, must not be asked again and again in no time.
        await this.#waitUpTo(5);
        continue;
      }
      seat = await this.#use(held, handOuts++);
    }
  }

  /** Does something with an event. @returns where to go on. */
  async #use(held: Held, handOuts: number): Promise<Seat> {
    const { seat } = held;
    const { capabilities } = this.#trial;
    const { workMs, backlog } = this.#profile;
    // Each consumer starts with one of each kind, so that all of them happen for sure.
    const choice = handOuts < starts.length ? (starts[handOuts] as number) : this.#trial.random();
    if (backlog || (this.#calm && handOuts >= starts.length)) {
      await this.#conclude(held, 'ack');
    } else if (choice < 0.1) {
      // What comes back to a queue that is full meanwhile is not refused.
      if (handOuts === 0) await this.#filled();
      const delayMs = capabilities.nackDelay && choice < 0.05 ? 5 : 0;
      await this.#conclude(held, 'nack', delayMs);
    } else if (choice < 0.15 && capabilities.deadLetter) {
      await this.#conclude(held, 'bury');
    } else if (choice < 0.2 && this.#scene.canReconnect) {
      return this.#leave(held);
    } else {
      if (workMs > 0 && this.#chance(0.6)) await this.#waitUpTo(workMs);
      await this.#conclude(held, 'ack');
    }
    return seat;
  }

  /** Leaves with an event in hand: crashes, or closes the connection. */
  async #leave(held: Held): Promise<Seat> {
    const { seat } = held;
    const canCrash = this.#profile.cuts > 0 && this.#trial.offers('crash');
    if (canCrash && this.#chance(0.7)) {
      await this.#scene.crash(seat);
    } else {
      await this.#scene.close(seat);
      await this.#scene.settle(held, 'ack');
    }
    return this.#scene.seat(seat.by);
  }

  /** Settles until it is certain, or until it is certainly too late; or leaves it to the lease, if that ends soon. */
  async #conclude(held: Held, kind: 'ack' | 'nack' | 'bury', delayMs = 0): Promise<void> {
    // What is left behind on a log would be acknowledged with what comes later.
    const mayLeave = this.leaseMs <= this.#trial.timing.longestLeaseMs && this.#trial.capabilities.ack === 'individual';
    for (let tries = 0; tries < settleTries; tries++) {
      const { outcome, isOver } = await this.#scene.settle(held, kind, delayMs);
      if (outcome === 'ok' || isOver || this.#failure !== undefined) return;
      if (mayLeave && !this.#calm && this.#chance(0.5)) return;
      await this.#waitUpTo(10);
    }
  }

  // --- the end

  /**
   * Resolves once every event that was stored is done; or once nothing has come for so long that nothing will.
   *
   * @returns whether that is certain: every consumer has found nothing in a whole wait, long after the last event.
   */
  async #drained(consumers: number): Promise<boolean> {
    const { patienceMs, reclaimMs, longestLeaseMs } = this.#trial.timing;
    const returnMs = Math.min(this.leaseMs, longestLeaseMs) + reclaimMs;
    for (const beganMs = this.#now(); this.#failure === undefined;) {
      if (this.#scene.isDone) return true;
      const since = Math.max(beganMs, this.#scene.progressedMs);
      const empty = [...this.#foundNothing.values()].filter((ms) => ms >= since + returnMs);
      if (empty.length >= consumers)
        return this.#profile.cuts === 0 || returnMs > this.leaseMs || this.leaseMs === Infinity;
      if (this.#now() - since > 2 * returnMs + 3 * patienceMs) return false;
      await this.#trial.wait(10);
    }
    return false;
  }

  /** Has a failure of one end all. */
  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#failure ??= { error };
      this.#over.abort(error);
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #now(): number {
    return this.#trial.clock.now();
  }

  #key(): string {
    return `key ${Math.floor(this.#trial.random() * this.#profile.keys)}`;
  }

  #chance(probability: number): boolean {
    return this.#trial.random() < probability;
  }

  #waitUpTo(ms: number): Promise<void> {
    return this.#trial.wait(this.#trial.random() * ms);
  }
}
