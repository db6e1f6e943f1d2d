import { createHash } from 'node:crypto';
import { type DeadLetter, type DeadLetters, isNqError, NqError } from '@nq/core';
import { decodeElement } from './element.ts';
import type { Layout } from './layout.ts';
import type { ResolvedRedisOptions } from './redis-options.ts';
import { read, request, type RequestParts } from './request.ts';
import { memoryMs } from './request-memory.ts';
import { runScript } from './script.ts';
import { Turns } from './turns.ts';

/** The type under which a dead letter that is no event is shown; its data are its bytes. */
const undecodableType = 'nq.undecodable';

/**
 * How many dead letters one script looks at at most, so that it does not keep others waiting for long: as many as it is given
 * ids, between these.
 */
const [fewestPerRequest, mostPerRequest] = [500, 5000];

/** Where a page of dead letters begins. */
interface Page {
  readonly place: number;
  /** The SHA-1 of the letter before it, by which the script finds it when others have removed some. */
  readonly before: string;
}

interface LetterParts extends RequestParts {
  readonly layout: Layout;
  readonly options: ResolvedRedisOptions;
}

/**
 * The line of JSON before an element that has died: what `LRANGE` shows first.
 *
 * @param deadAt in milliseconds since the Unix epoch.
 */
export function letterHead(id: string, attempts: number, reason: string, deadAt: number): string {
  return JSON.stringify({ id, attempts, reason, deadAt: Math.floor(deadAt) });
}

/** Dead letters: elements behind a line that says why they died. */
export class RedisDeadLetters implements DeadLetters {
  readonly #parts: LetterParts;
  readonly #keys: readonly string[];
  #requests = 0;
  readonly #turns = new Turns();

  constructor(parts: LetterParts, id: string) {
    const { keys, letters } = parts.layout;
    this.#parts = parts;
    this.#keys = [keys.memory('letters', id), ...letters.keys];
  }

  count(): Promise<number> {
    return read(this.#parts, 'count dead letters', (client) => client.llen(this.#parts.layout.keys.dead));
  }

  async list({ limit = 100 }: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    if (limit === 0) return [];
    const last = limit === Infinity ? -1 : limit - 1;
    const letters = await read(this.#parts, 'list dead letters', (client) =>
      client.lrangeBuffer(this.#parts.layout.keys.dead, 0, last),
    );
    return letters.map((letter) => this.#read(letter));
  }

  replay(ids?: readonly string[]): Promise<number> {
    return this.#use('replay', ids);
  }

  remove(ids?: readonly string[]): Promise<number> {
    return this.#use('remove', ids);
  }

  #use(verb: 'replay' | 'remove', ids: readonly string[] | undefined): Promise<number> {
    if (ids?.length === 0) return Promise.resolve(0);
    const names = ids?.flatMap(namesOf) ?? [];
    const perRequest = Math.min(Math.max(fewestPerRequest, names.length), mostPerRequest);
    return this.#turns.take(async () => {
      let used = 0;
      let page: Page = { place: 0, before: '' };
      // As many as there were at first, or fewer if others take some. What is replayed may die again meanwhile.
      let total = Infinity;
      do {
        const max = Math.min(total - used - page.place, perRequest);
        const done = await this.#ask(verb, max, page, names).catch((error: unknown) => {
          throw used === 0 || !isNqError(error) ? error : partly(used, error);
        });
        used += done.count;
        total = Math.min(total, used + done.length);
        page = done.next;
      } while (page.place < total - used);
      return used;
    });
  }

  async #ask(verb: 'replay' | 'remove', max: number, { place, before }: Page, names: readonly string[]) {
    const args = [++this.#requests, memoryMs, verb, max, place, before, ...names];
    const answer = await request(this.#parts, `${verb} dead letters`, async (client) =>
      String(await runScript(client, this.#parts.layout.letters.script, this.#keys, args)),
    );
    const [count, next, length, nextBefore = ''] = answer.split(' ');
    return { count: Number(count), length: Number(length), next: { place: Number(next), before: nextBefore } };
  }

  #read(letter: Buffer): DeadLetter {
    const line = letter.indexOf('\n');
    const { id, attempts, reason, deadAt } = readHead(letter.toString('utf8', 0, Math.max(0, line))) ?? strange(letter);
    const body = letter.subarray(line + 1);
    const element = decodeElement(body, this.#parts.options.foreign);
    const event =
      'flaw' in element
        ? { id, type: undecodableType, data: new Uint8Array(body), time: Math.max(0, deadAt) }
        : { ...element.event, id };
    return { event, attempts, reason, deadAt };
  }
}

/** The error of a call that has done a part: what failed then may have had no effect, but the call had. */
function partly(done: number, { message, cause }: NqError): NqError {
  return new NqError('NQ_OUTCOME_UNKNOWN', `${message}; ${done} of them are done`, { cause });
}

type Head = Omit<DeadLetter, 'event'> & { readonly id: string };

/** By what the script knows the letter of an `id`: as JSON, or as it is for one that somebody else has put there. */
function namesOf(id: string): readonly string[] {
  return /^[\da-f]{40}$/.test(id) ? [JSON.stringify(id), id] : [JSON.stringify(id)];
}

/** What the head of a dead letter says; `undefined` if it is none of ours. */
function readHead(text: string): Head | undefined {
  try {
    const { id, attempts, reason, deadAt } = JSON.parse(text) as Head;
    return text === letterHead(id, attempts, reason, deadAt) && ours.test(text)
      ? { id, attempts, reason, deadAt }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The members of a head are what they should be: as `letterHead` writes them, and `letters.ts` looks for the id. */
const ours = /^\{"id":".*","attempts":\d+,"reason":".*","deadAt":\d+\}$/s;

/** What is known of something that somebody else has put among the dead letters. The script knows it by the same id. */
function strange(letter: Buffer): Head {
  const id = createHash('sha1').update(letter).digest('hex');
  return { id, attempts: 0, reason: 'it was not put there by nq', deadAt: -1 };
}
