import type { Clock } from './clock.ts';
import type { Gathering, QueueDriver } from './driver.ts';
import { isNqError, NqError } from './errors.ts';
import { PushLine, type PushListener, refusedAtOnce } from './push-line.ts';
import type { WaitOptions } from './queue.ts';
import type { WaitingLine, WaitLimits } from './waiting.ts';

/** What the lines of a queue have in common. */
export interface PushLanesParts {
  readonly driver: QueueDriver;
  readonly clock: Clock;
  readonly limits: () => WaitLimits;
  /** Is called after each request that stored events. */
  readonly onStored: () => void;
  /** Is called with each line, once there are calls that wait in it. */
  // oxlint-disable-next-line no-explicit-any -- as {@link WaitLimits} takes them
  readonly onLine: (line: WaitingLine<any, any>) => void;
}

/** The calls that push: in one line, or in one for each place of the backend, which do not wait for one another. */
export class PushLanes implements PushListener {
  readonly #parts: PushLanesParts;
  readonly #gathering: Gathering | undefined;
  readonly #lanes = new Map<number, PushLine>();
  /** How many events are on their way, and how large they are together. */
  #underWay = 0;
  #underWayBytes = 0;

  constructor(parts: PushLanesParts) {
    this.#parts = parts;
    this.#gathering = parts.driver.gathering;
  }

  /** Stores `events`, which the driver has encoded. @throws {NqError} `NQ_FULL` if there is no room for a single try. */
  push(events: readonly unknown[], many: boolean, options: WaitOptions): Promise<void> {
    const gathering = this.#gathering;
    if (gathering === undefined) return this.#laneOf(0).push(events, many, options);
    if (options.timeoutMs === 0 && !this.#hasRoom(events, gathering)) throw refusedAtOnce(events, many);
    return events.length === 1
      ? this.#laneOf(gathering.laneOf(events[0])).push(events, many, options)
      : this.#spread(events, gathering, options);
  }

  began(events: readonly unknown[]): void {
    if (this.#gathering === undefined) return;
    this.#underWay += events.length;
    this.#underWayBytes += sizeOf(events, this.#gathering);
  }

  ended(events: readonly unknown[]): void {
    if (this.#gathering === undefined) return;
    this.#underWay -= events.length;
    this.#underWayBytes -= sizeOf(events, this.#gathering);
  }

  stored(): void {
    this.#parts.onStored();
  }

  /** There may be room again. */
  roomFreed(): void {
    for (const lane of this.#lanes.values()) lane.roomFreed();
  }

  /** Releases every call: those that were not sent with `NQ_CLOSED`, the others with the answer to their request. */
  close(): void {
    for (const lane of this.#lanes.values()) lane.close();
  }

  /** Resolves once the requests that are under way have their answers: never, if the backend does not answer. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.#lanes.values(), (lane) => lane.idle()));
  }

  #hasRoom(events: readonly unknown[], gathering: Gathering): boolean {
    const { most, mostBytes } = gathering;
    if (this.#underWay + events.length > most) return false;
    return this.#underWay === 0 || this.#underWayBytes + sizeOf(events, gathering) <= mostBytes;
  }

  #laneOf(number: number): PushLine {
    let lane = this.#lanes.get(number);
    if (lane === undefined) {
      const { driver, clock, limits, onLine } = this.#parts;
      lane = new PushLine(driver, clock, limits, this);
      this.#lanes.set(number, lane);
      onLine(lane.line);
    }
    return lane;
  }

  /** Each lane stores its own part. What fails in one is told with what is stored in all. */
  async #spread(events: readonly unknown[], { laneOf }: Gathering, options: WaitOptions): Promise<void> {
    const parts = new Map<number, unknown[]>();
    for (const event of events) {
      const lane = laneOf(event);
      const part = parts.get(lane);
      if (part === undefined) parts.set(lane, [event]);
      else part.push(event);
    }
    const pushes = Array.from(parts, ([lane, part]) => this.#laneOf(lane).push(part, true, options));
    const ends = await Promise.allSettled(pushes);
    const errors: unknown[] = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    if (errors.length === 0) return;
    const failures = errors.filter((error) => isNqError(error));
    // The reason of an abort stays untouched.
    if (failures.length < errors.length) throw errors.find((error) => !isNqError(error));
    const lengths = Array.from(parts.values(), ({ length }) => length);
    const stored = ends.reduce((sum, end, index) => {
      if (end.status === 'fulfilled') return sum + (lengths[index] as number);
      return sum + ((end.reason as NqError).stored ?? 0);
    }, 0);
    // That nobody knows of some says more than that others are not stored.
    const worst = failures.find(({ code }) => code === 'NQ_OUTCOME_UNKNOWN') ?? (failures[0] as NqError);
    throw new NqError(worst.code, worst.message, { cause: worst.cause, stored });
  }
}

/** How large `events` are together. */
function sizeOf(events: readonly unknown[], gathering: Gathering): number {
  let bytes = 0;
  for (const event of events) bytes += gathering.sizeOf(event);
  return bytes;
}
