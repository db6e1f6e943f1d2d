import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { HistoryRecord } from '@nq/core/conformance';
import type { Link, TestRedis } from 'nq-testbed';
import type { ActorOptions } from './actor.ts';
import { machineTime, readActorLog } from './actor-log.ts';

const program = join(import.meta.dirname, 'actor.ts');

/** An actor, its process, and its way to the server. */
export interface Actor {
  readonly options: ActorOptions;
  readonly process: ChildProcess;
  readonly link: Link;
  readonly ended: Promise<unknown>;
  /** Whether it has opened its queue. */
  acts: boolean;
}

/** What all actors have in common. */
export type Play = Pick<ActorOptions, 'queueKey' | 'mode' | 'capacity' | 'leaseMs' | 'events'>;

/** Actors that come, go and are killed, and what became of their calls. */
export class Cast {
  readonly #server: TestRedis;
  readonly #folder: string;
  readonly #play: Play;
  readonly #actors: Actor[] = [];
  readonly #faults: HistoryRecord[] = [];
  kills = 0;
  cuts = 0;

  /** @param folder where they write down what they do. */
  constructor(server: TestRedis, folder: string, play: Play) {
    this.#server = server;
    this.#folder = folder;
    this.#play = play;
  }

  /** Those that act. */
  of(role: ActorOptions['role']): readonly Actor[] {
    return this.#actors.filter((actor) => actor.options.role === role && actor.acts && isAlive(actor));
  }

  /** Starts an actor. Resolves once it acts. */
  async enter(role: ActorOptions['role'], callers: number): Promise<Actor> {
    const connection = this.#actors.length;
    const name = `${role}-${connection}`;
    const link = await this.#server.link();
    const url = this.#server.urlAt(link);
    const log = join(this.#folder, `${name}.ndjson`);
    const options: ActorOptions = { ...this.#play, role, name, connection, url, log, callers };
    const child = fork(program, [JSON.stringify(options)], { execArgv: ['--conditions=@nq/source'] });
    const actor: Actor = { options, process: child, link, ended: once(child, 'exit'), acts: false };
    this.#actors.push(actor);
    await once(child, 'message');
    actor.acts = true;
    return actor;
  }

  /** Kills an actor as `kill -9` does. */
  async kill(actor: Actor): Promise<void> {
    const began = machineTime();
    actor.process.kill('SIGKILL');
    await actor.ended;
    this.kills++;
    const ended = machineTime();
    const { connection } = actor.options;
    this.#faults.push({ kind: 'crash', connection, began, ended, beganMs: began, endedMs: ended });
  }

  /** Has `work` done while something is wrong with the link of `actor`, and heals it. */
  async whileCut(actor: Actor, cut: (link: Link) => void, work: () => Promise<unknown>): Promise<void> {
    const began = machineTime();
    cut(actor.link);
    await work();
    actor.link.heal();
    this.cuts++;
    const ended = machineTime();
    this.#faults.push({ kind: 'cut', began, ended, beganMs: began, endedMs: ended });
  }

  /** Tells actors to stop. Resolves once their processes have ended by themselves. */
  async leave(actors: readonly Actor[]): Promise<void> {
    for (const { process: child } of actors) child.send('stop');
    await Promise.all(actors.map(({ ended }) => ended));
  }

  /** Kills whoever is left. */
  end(): void {
    for (const actor of this.#actors) if (isAlive(actor)) actor.process.kill('SIGKILL');
  }

  /** Everything that was done, and done to them. */
  history(): HistoryRecord[] {
    const calls = this.#actors.flatMap(({ options: { log, name, connection } }) => readActorLog(log, name, connection));
    return [...this.#faults, ...calls].sort((a, b) => a.ended - b.ended || a.began - b.began);
  }
}

function isAlive({ process: { exitCode, signalCode } }: Actor): boolean {
  return exitCode === null && signalCode === null;
}
