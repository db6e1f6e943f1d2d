import { NqError } from '@nq/core';
import { askNodeOf } from './ask-node-of.ts';
import type { ResolvedDurability } from './redis-options.ts';
import { withoutCommand } from './errors.ts';
import { request, type RequestParts } from './request.ts';
import { memoryMs } from './request-memory.ts';
import type { BoundScript } from './layout.ts';
import { type RedisClient, runScript } from './script.ts';

/** What a producer needs to know. */
export interface ProducerParts extends RequestParts {
  readonly options: {
    readonly capacity: number;
    readonly requestTimeoutMs: number;
    readonly durability: ResolvedDurability | undefined;
  };
}

/** The script, with its memory first; and what it is given between the capacity and the elements. */
interface ProducerScript extends BoundScript {
  readonly args: readonly (string | number)[];
}

/**
 * What a queue object pushes: requests with numbers, so that one that is sent again is not done again. Only one is under
 * way at a time, which is what whoever uses a driver does.
 */
export class Producer {
  readonly #parts: ProducerParts;
  readonly #bound: ProducerScript;
  #requests = 0;

  constructor(parts: ProducerParts, bound: ProducerScript) {
    this.#parts = parts;
    this.#bound = bound;
  }

  /** Stores the first of `elements`, as far as there is room. @returns how many. */
  push(elements: readonly string[]): Promise<number> {
    const { capacity, durability } = this.#parts.options;
    const { script, keys, args: own } = this.#bound;
    const limit = capacity === Infinity ? 0 : capacity;
    const args = [++this.#requests, memoryMs, limit, ...own, ...elements];
    return request(this.#parts, 'push', async (client) => {
      const stored = (await runScript(client, script, keys, args)) as number;
      if (durability !== undefined && stored > 0) await this.#waitForReplicas(client, durability);
      return stored;
    });
  }

  /** @throws {NqError} `NQ_OUTCOME_UNKNOWN` if too few replicas have it in time, or nobody knows whether they have. */
  async #waitForReplicas(client: RedisClient, { replicas, timeoutMs }: ResolvedDurability): Promise<void> {
    const { connection } = this.#parts;
    const { losses } = connection;
    const unknown = (why: string, options?: { readonly cause: unknown }): NqError =>
      new NqError('NQ_OUTCOME_UNKNOWN', `Cannot push: ${why}; it is stored on the primary`, options);
    let confirmed: number;
    try {
      // WAIT has no key that would tell a cluster which node to ask.
      confirmed = Number(await askNodeOf(client, this.#bound.keys[1] as string, 'wait', replicas, timeoutMs));
    } catch (cause) {
      throw unknown('replicas cannot be waited for', { cause: withoutCommand(cause) });
    }
    // Whoever answers now may be another server, which never had it, and whose replicas confirm that.
    if (connection.losses !== losses) throw unknown('the connection was lost while replicas were waited for');
    if (confirmed < replicas) throw unknown(`${confirmed} of ${replicas} replicas have it after ${timeoutMs} ms`);
  }
}
