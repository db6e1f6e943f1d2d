import { type Delivery, isNqError, type MessageQueue } from '@nq/core';
import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5';
import { type Address, type TestRedis, until, type UntilOptions } from 'nq-testbed';
import { expect } from 'vitest';
import { type RedisClient, redisQueue, type RedisQueueOptions } from '../../src/index.ts';
import { newKey } from './server.ts';

/** What tests open queues with, besides where they are. */
export type TestOptions = Partial<RedisQueueOptions>;

/** Opens a queue on `place`, under a key of its own unless there is one in `options`. */
export function openQueue<Data = unknown>(place: Address, options: TestOptions = {}): Promise<MessageQueue<Data>> {
  const where = options.client === undefined ? { addr: `${place.host}:${place.port}` } : {};
  return redisQueue<Data>({ queueKey: newKey(), requestTimeoutMs: 3000, onWarning: () => {}, ...where, ...options });
}

/** Who connects, and to which database. */
type Access = Pick<RedisQueueOptions, 'username' | 'password' | 'db'>;

/** A major of ioredis, and how a queue is told to connect with it. */
interface TestClient {
  readonly name: string;
  at(place: Address, access?: Access): TestOptions;
  /** The same as members of an object, in the text of a program. */
  textAt(place: Address): string;
  inCluster(nodes: readonly Address[]): TestOptions;
  /** A client of the user, which is only looked at: the queue connects as it would. */
  make(options: object): RedisClient;
  makeCluster(nodes: readonly Address[], options?: object): Cluster;
}

const make5 = (options: object): RedisClient => new Redis5({ lazyConnect: true, ...options }) as unknown as RedisClient;
const makeCluster5 = (nodes: readonly Address[], options?: object): Cluster =>
  new Cluster5(nodes.map(placeOf), { lazyConnect: true, ...options }) as unknown as Cluster;

/** The majors of ioredis. */
export const clients: readonly TestClient[] = [
  {
    name: 'ioredis 6',
    at: (_place, access = {}) => access,
    textAt: ({ host, port }) => `addr: '${host}:${port}'`,
    inCluster: (nodes) => ({ cluster: nodes.map(({ host, port }) => `${host}:${port}`) }),
    make: (options) => new Redis({ lazyConnect: true, ...options }),
    makeCluster: (nodes, options) => new Cluster(nodes.map(placeOf), { lazyConnect: true, ...options }),
  },
  {
    name: 'ioredis 5',
    at: (place, access) => ({ client: make5({ ...placeOf(place), ...access }) }),
    textAt: ({ host, port }) =>
      `client: new (await import('ioredis5')).Redis({ host: '${host}', port: ${port}, lazyConnect: true })`,
    inCluster: (nodes) => ({ client: makeCluster5(nodes) }),
    make: make5,
    makeCluster: makeCluster5,
  },
];

/** A server, or a link, is more than its place. */
function placeOf({ host, port }: Address): Address {
  return { host, port };
}

/** Takes the next event, which has to be there. */
export async function take<Data>(queue: MessageQueue<Data>, timeoutMs = 10_000): Promise<Delivery<Data>> {
  const delivery = await queue.pop({ timeoutMs });
  if (delivery === undefined) throw new Error(`nothing came within ${timeoutMs} ms`);
  return delivery;
}

/** Pushes an event of a type, without data, as soon as the queue works again; once, for what has no answer may be stored. */
export async function pushWhenBack(queue: MessageQueue, type: string): Promise<void> {
  await until('the queue to be back', () => queue.size());
  await queue.push({ type, data: null });
}

/** Takes all events that can be taken now, some at a time. @throws {Error} if some are ready for long, and nothing comes. */
export async function* takeAllReady<Data>(queue: MessageQueue<Data>): AsyncGenerator<readonly Delivery<Data>[]> {
  const patienceMs = 20_000;
  for (let since = performance.now(); ;) {
    const deliveries = await queue.popMany(256, { timeoutMs: 0 });
    if (deliveries.length > 0) {
      yield deliveries;
      since = performance.now();
      continue;
    }
    // A pop that has no answer in time brings nothing either.
    const { ready } = await queue.size();
    if (ready === 0) return;
    if (performance.now() - since > patienceMs) throw new Error(`${ready} events are ready, and no pop brings any`);
  }
}

/** The types of all events that can be taken now, which are acknowledged. */
export async function drain(queue: MessageQueue): Promise<string[]> {
  const types: string[] = [];
  for await (const deliveries of takeAllReady(queue)) {
    types.push(...deliveries.map(({ event }) => event.type));
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  }
  return types;
}

/** Does everything that a queue is for, with two objects of one that `open` opens. @returns what was replayed. */
export async function useAll(open: () => Promise<MessageQueue>): Promise<string[]> {
  const event = (type: string) => ({ type, data: null });
  await using queue = await open();
  await using other = await open();
  const popped = take(other, 10_000);
  await queue.push(event('woken'));
  await (await popped).ack();
  await queue.pushMany(['a', 'b', 'c'].map(event));
  expect(await queue.size()).toMatchObject({ ready: 3, inFlight: 0 });
  const [a, b, c] = await other.popMany(3);
  await a?.nack({ delayMs: 10 });
  await b?.nack({ deadLetter: true });
  await c?.extend(5000);
  await c?.ack();
  await (await take(queue)).ack();
  expect(await queue.deadLetters.list()).toMatchObject([{ event: { type: 'b' } }]);
  expect(await queue.deadLetters.replay()).toBe(1);
  const replayed = await drain(queue);
  expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
  return replayed;
}

/** What the server holds for a queue. */
export interface Counts {
  readonly ready: number;
  readonly staged: number;
  readonly held: number;
  readonly leases: number;
  readonly delayed: number;
  readonly dead: number;
}

/** Counts past the queue and its connections. */
export async function countsOf(server: TestRedis, queueKey: string): Promise<Counts> {
  const count = async (command: string, name: string): Promise<number> =>
    Number(await server.command(command, name === '' ? queueKey : `{${queueKey}}:nq:${name}`));
  return {
    ready: await count('LLEN', ''),
    staged: await count('LLEN', 'staged'),
    held: await countHeld(server, `{${queueKey}}:nq:`),
    leases: await count('ZCARD', 'leases'),
    delayed: await count('ZCARD', 'delayed'),
    dead: await count('LLEN', 'dead'),
  };
}

/** Counts what is in flight of what is kept under names that begin with `base`. */
export async function countHeld(server: TestRedis, base: string): Promise<number> {
  let held = 0;
  for (const key of (await server.command('KEYS', `${base}held:*`)) as string[]) {
    if (key.endsWith(':settled')) held -= Number(await server.command('SCARD', key));
    else held += Number(await server.command('LLEN', key));
  }
  return held;
}

/** {@link Counts} of nothing. */
export const nothing: Counts = { ready: 0, staged: 0, held: 0, leases: 0, delayed: 0, dead: 0 };

/** Waits until a connection of the queue blocks: until a pop has found nothing, and Redis will wake it. */
export async function untilBlocked(server: TestRedis, queueKey: string, options?: UntilOptions): Promise<void> {
  // Redis takes no blank in a name.
  const name = ` name=nq:${queueKey.replaceAll(' ', '_')} `;
  const blocks = (line: string): boolean => line.includes(name) && / flags=\S*b/.test(line);
  await until(
    'a pop to block',
    async () =>
      String(await server.command('CLIENT', 'LIST'))
        .split('\n')
        .some(blocks),
    options,
  );
}

/** The code with which `call` rejects; `'done'` if it resolves. It may be looked at later. */
export async function codeOf(call: Promise<unknown> | undefined): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    return isNqError(error) ? error.code : String(error);
  }
}
