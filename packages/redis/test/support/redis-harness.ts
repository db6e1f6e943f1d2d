import type { MessageQueue } from '@nq/core';
import type { ConformanceHarness, Inspection, Namespace } from '@nq/core/conformance';
import { Link, type TestRedis } from 'nq-testbed';
import { redisQueue, type RedisQueueOptions } from '../../src/index.ts';

/** What a harness opens its queues with, besides where they are. */
export interface HarnessOptions extends Omit<RedisQueueOptions, 'queueKey' | 'addr' | 'url'> {
  /** Done before a queue of this key is opened. */
  readonly prepare?: ((server: TestRedis, queueKey: string) => Promise<void>) | undefined;
}

/** Everything that the kit may do to a queue on the server that `start` starts, for as long as the kit needs it. */
export function redisHarness(
  name: string,
  start: () => Promise<TestRedis>,
  options: HarnessOptions = {},
): ConformanceHarness {
  let server: TestRedis | undefined;
  /** Queues of consumers that have crashed: they reach nothing any more, and need a while to see it. */
  const crashed: Promise<unknown>[] = [];
  return {
    name: `@nq/redis on ${name}`,
    async start() {
      server = await start();
    },
    async stop() {
      await Promise.all(crashed);
      await server?.stop();
    },
    namespace(id) {
      if (server === undefined) throw new Error('the server was not started');
      return namespaceOf(server, id.replaceAll('/', ':'), options, crashed);
    },
  };
}

async function namespaceOf(
  server: TestRedis,
  queueKey: string,
  { prepare, ...options }: HarnessOptions,
  crashed: Promise<unknown>[],
): Promise<Namespace> {
  await prepare?.(server, queueKey);
  const base = `{${queueKey}}:nq:`;
  /** What all connections go through. */
  const shared = await server.link();
  /** The way of each queue to it, which ends when it crashes. */
  const ways = new Map<MessageQueue, Link>();
  return {
    async open({ capacity, leaseMs }) {
      const way = await Link.open(shared);
      const queue = await redisQueue({
        // The rules cut connections and wait for what calls say then: each of them takes as long as this.
        requestTimeoutMs: 750,
        onWarning: () => {},
        ...options,
        queueKey,
        url: server.urlAt(way),
        capacity,
        leaseMs,
      });
      ways.set(queue, way);
      return queue;
    },
    faults: {
      cut: () => shared.cut(),
      cutBeforeAnswer: () => shared.cutBeforeAnswer(),
      heal: () => shared.heal(),
      delay: (ms) => shared.delay(ms),
      restart: () => server.restart(),
    },
    async crash(queue) {
      await ways.get(queue)?.close();
      ways.delete(queue);
      crashed.push(queue.close());
    },
    inspect: async () => inspect(server, queueKey, base),
    async injectRaw(record) {
      await server.command('LPUSH', queueKey, record);
    },
    async dispose() {
      for (const way of ways.values()) await way.close();
      await shared.close();
      const keys = (await server.command('KEYS', `*${queueKey}*`)) as string[];
      const foreign = keys.filter((key) => key !== queueKey && !key.startsWith(base));
      if (foreign.length > 0) throw new Error(`keys of another name are left: ${foreign.join(', ')}`);
      if (keys.length > 0) await server.command('DEL', ...keys);
    },
  };
}

async function inspect(server: TestRedis, queueKey: string, base: string): Promise<Inspection> {
  const count = async (command: string, key: string): Promise<number> => Number(await server.command(command, key));
  return {
    ready: (await count('LLEN', queueKey)) + (await count('LLEN', `${base}staged`)),
    inFlight: await count('HLEN', `${base}held`),
    delayed: await count('ZCARD', `${base}delayed`),
    deadLetters: await count('LLEN', `${base}dead`),
  };
}
