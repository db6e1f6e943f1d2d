import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { MessageQueue } from '@nq/core';
import type { ConformanceHarness, Inspection, Namespace } from '@nq/core/conformance';
import { testConformance } from '@nq/core/conformance/vitest';
import { Link, redisVersions, type RedisVersion, type TestRedis } from 'nq-testbed';
import { describe, test } from 'vitest';
import { redisQueue, type RedisQueueOptions } from '../../src/index.ts';
import { countHeld } from './queue.ts';

/** What a harness opens its queues with, besides where they are. */
export interface HarnessOptions extends Omit<RedisQueueOptions, 'queueKey' | 'addr' | 'url'> {
  /** Done before a queue of this key is opened. */
  readonly prepare?: ((server: TestRedis, queueKey: string) => Promise<void>) | undefined;
}

/** What the server of a queue that claims to be durable keeps. */
const config = ['appendonly yes', 'appendfsync everysec'];

const program = join(import.meta.dirname, 'serve.ts');
const execArgv = ['--conditions=@nq/source'];

/**
 * The whole kit, strictly, on one version of a server; a test that is skipped tells why where it is not to be had. Each
 * version has a file of its own, for most of the time is waiting. What is here and is none of them takes the first place.
 */
export async function describeOn(version: RedisVersion, what: string, options: HarnessOptions): Promise<void> {
  const versions = await redisVersions();
  const others = versions.filter((one) => one.missing === undefined && one.version === undefined);
  const offers = versions.filter((one) => one.version === version);
  const here = [...offers.filter(({ missing }) => missing === undefined), ...(version === 'redis-7' ? others : [])];
  describe.each(here)(`${what} on $name`, ({ name, ours, start }) => {
    const folder = `${what} ${name}`.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-');
    testConformance(
      redisHarness(`${what} of ${name}`, () => start(ours ? { config } : {}), options),
      // What is not ours is not restarted, so the rule that wants that cannot be verified.
      { strict: ours, reportFolder: `test-results/${folder}` },
    );
  });
  const away = offers.filter(({ missing }) => missing !== undefined && here.length === 0);
  test.for(away)(`${what} on $name`, ({ missing }, { skip }) => skip(missing));
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
    // A busy machine answers a script in tens of milliseconds: a pop that ends sooner has a claim on its way.
    timing: { quietMs: 150, patienceMs: 10_000 },
    async start() {
      server = await start();
    },
    async stop() {
      await Promise.all(crashed);
      await server?.stop();
    },
    namespace(id) {
      if (server === undefined) throw new Error('the server was not started');
      return namespaceOf(server, id, options, crashed);
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
  const common = {
    // The rules cut connections and wait for what calls say then: each of them takes as long as this. With half of it, a busy
    // machine was taken for an outage.
    requestTimeoutMs: 1500,
    ...options,
    queueKey,
    ...(options.mode === 'stream' ? { group: 'default' } : {}),
  };
  /** What all connections go through. */
  const shared = await server.link();
  /** The way of each queue to it, which ends when it crashes. */
  const ways = new Map<MessageQueue, Link>();
  return {
    async open({ group, ...wanted }) {
      const way = await Link.open(shared);
      const named = group === undefined ? {} : { group };
      const queue = await redisQueue({ ...common, ...wanted, ...named, url: server.urlAt(way), onWarning: () => {} });
      ways.set(queue, way);
      return queue;
    },
    faults: {
      cut: () => shared.cut(),
      cutBeforeAnswer: () => shared.cutBeforeAnswer(),
      heal: () => shared.heal(),
      delay: (ms) => shared.delay(ms),
      ...(server.provider === 'external' ? {} : { restart: () => server.restart() }),
    },
    fork: () => fork(program, [JSON.stringify({ ...common, url: server.urlAt(shared) })], { execArgv }),
    async crash(queue) {
      await ways.get(queue)?.close();
      ways.delete(queue);
      crashed.push(queue.close());
    },
    inspect: () =>
      options.mode === 'stream' ? inspectStream(server, queueKey, base) : inspectList(server, queueKey, base),
    async injectRaw(record) {
      if (options.mode === 'stream') await server.command('XADD', queueKey, '*', 'd', record);
      else await server.command('LPUSH', queueKey, record);
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

async function inspectList(server: TestRedis, queueKey: string, base: string): Promise<Inspection> {
  return {
    ready: (await count(server, 'LLEN', queueKey)) + (await count(server, 'LLEN', `${base}staged`)),
    inFlight: await countHeld(server, base),
    delayed: await count(server, 'ZCARD', `${base}delayed`),
    deadLetters: await count(server, 'LLEN', `${base}dead`),
  };
}

/** Of the group that rules without groups use. */
async function inspectStream(server: TestRedis, queueKey: string, base: string): Promise<Inspection> {
  const own = `${base}default:`;
  const groups = (await server.command('XINFO', 'GROUPS', queueKey)) as unknown[][];
  const group = groups.find((one) => one[1] === 'default') ?? [];
  const cursor = String(group[group.indexOf('last-delivered-id') + 1]);
  const unread = (await server.command('XRANGE', queueKey, `(${cursor}`, '+')) as unknown[];
  const back = (await count(server, 'ZCARD', `${own}returned`)) + (await count(server, 'LLEN', `${own}replayed`));
  return {
    ready: unread.length + Number(group[group.indexOf('pending') + 1]) + back,
    inFlight: await countHeld(server, own),
    delayed: await count(server, 'ZCARD', `${own}delayed`),
    deadLetters: await count(server, 'LLEN', `${own}dead`),
  };
}

async function count(server: TestRedis, command: string, key: string): Promise<number> {
  return Number(await server.command(command, key));
}
