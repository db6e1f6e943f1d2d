import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { HistoryRecord } from '@nq/core/conformance';
import type { Link } from '../link.ts';
import { Hopeless, until } from '../until.ts';
import type { ActorOptions } from './act.ts';
import { machineTime, readActorLog } from './actor-log.ts';

/** An actor, and its process. */
export interface Actor {
  readonly role: ActorOptions<unknown>['role'];
  readonly name: string;
  readonly connection: number;
  readonly log: string;
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  /** Whether it has opened its queue. */
  acts: boolean;
}

/** What all actors have in common. */
export interface Play {
  /** The path of the program that they run, which calls `act()`. */
  readonly program: string;
  /** Where they write down what they do. */
  readonly folder: string;
  /** How many events each producer pushes at the least. */
  readonly events: number;
  /** How many keys the events have. */
  readonly keys: number;
}

/** Actors that come, go and are killed, and what became of their calls. */
export class Cast {
  readonly #play: Play;
  readonly #actors: Actor[] = [];
  readonly #faults: HistoryRecord[] = [];
  kills = 0;
  cuts = 0;

  constructor(play: Play) {
    this.#play = play;
  }

  /** Those that act. */
  of(role: Actor['role']): readonly Actor[] {
    return this.#actors.filter((actor) => actor.role === role && actor.acts && isAlive(actor));
  }

  /** Starts an actor, which opens its queue with `queue`. Resolves once it acts. @throws {Error} if it ends before, or does not. */
  async enter(role: Actor['role'], callers: number, queue: unknown): Promise<Actor> {
    const { program, folder, events, keys } = this.#play;
    const connection = this.#actors.length;
    const name = `${role}-${connection}`;
    const log = join(folder, `${name}.ndjson`);
    const options: ActorOptions<unknown> = { role, name, connection, queue, log, callers, events, keys };
    const child = fork(program, [JSON.stringify(options)], { execArgv: ['--conditions=@nq/source'] });
    const actor: Actor = { role, name, connection, log, process: child, ended: once(child, 'exit'), acts: false };
    this.#actors.push(actor);
    child.once('message', () => (actor.acts = true));
    await until(`${name} to act`, () => {
      if (!isAlive(actor)) throw new Hopeless(`${name} has ended before it acted`);
      return actor.acts;
    });
    return actor;
  }

  /** Kills an actor as `kill -9` does. */
  async kill(actor: Actor): Promise<void> {
    const began = machineTime();
    actor.process.kill('SIGKILL');
    await actor.ended;
    this.kills++;
    const ended = machineTime();
    const { connection } = actor;
    this.#faults.push({ kind: 'crash', connection, began, ended, beganMs: began, endedMs: ended });
  }

  /** Has `work` done while something is wrong with `link`, and heals it. */
  async whileCut(link: Link, cut: (link: Link) => void, work: () => Promise<unknown>): Promise<void> {
    const began = machineTime();
    cut(link);
    await work();
    link.heal();
    this.cuts++;
    const ended = machineTime();
    this.#faults.push({ kind: 'cut', began, ended, beganMs: began, endedMs: ended });
  }

  /** Tells actors to stop. Resolves once their processes have ended by themselves. @throws {Error} if one does not. */
  async leave(actors: readonly Actor[]): Promise<void> {
    for (const { process: child } of actors) child.send('stop');
    await until('the actors to end', () => !actors.some(isAlive), { deadlineMs: 180_000 });
  }

  /** Kills whoever is left. */
  end(): void {
    for (const actor of this.#actors) if (isAlive(actor)) actor.process.kill('SIGKILL');
  }

  /** Everything that was done, and done to them. */
  history(): HistoryRecord[] {
    const calls = this.#actors.flatMap(({ log, name, connection }) => readActorLog(log, name, connection));
    return [...this.#faults, ...calls].sort((a, b) => a.ended - b.ended || a.began - b.began);
  }
}

function isAlive({ process: { exitCode, signalCode } }: Actor): boolean {
  return exitCode === null && signalCode === null;
}
