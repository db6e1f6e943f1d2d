import type { MessageQueue } from '@nq/core';
import { redisCluster, type RedisCluster, redisOffer, type TestRedis, until } from 'nq-testbed';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { redisQueue, type RedisQueueOptions } from '../src/index.ts';
import { codeOf, drain, take, untilBlocked } from './support/queue.ts';
import { newKey } from './support/server.ts';

const { name, missing } = await redisOffer({ provider: 'native' });
const event = (type: string) => ({ type, data: null });
const addrsOf = (nodes: readonly TestRedis[]) => nodes.map(({ host, port }) => `${host}:${port}`);
const requestTimeoutMs = 2000;
/** By when a call has ended, on a machine that is busy: what hangs takes for ever. */
const boundMs = requestTimeoutMs + 3000;
const modes: readonly (readonly [string, Partial<RedisQueueOptions>])[] = [
  ['a list', {}],
  ['a stream', { mode: 'stream', group: 'orders' }],
];

/** Works with a queue until it is told to stop, and remembers what came of it. */
class Work {
  readonly confirmed = new Set<string>();
  /** Those of unknown outcome. */
  readonly unknown = new Set<string>();
  /** When each event was handed out, in the order of the hand-outs. */
  readonly seen = new Map<string, number[]>();
  readonly codes = new Set<string>();
  slowestMs = 0;
  readonly #queue: MessageQueue;
  #pushing = true;
  readonly #pushed: Promise<void>;
  readonly #popped: Promise<void>;

  constructor(queue: MessageQueue) {
    this.#queue = queue;
    this.#pushed = this.#push();
    this.#popped = this.#pop();
  }

  /** Ends when all that is in the queue was handed out, and settled. */
  async end(): Promise<void> {
    this.#pushing = false;
    await this.#pushed;
    await this.#popped;
  }

  /** What was handed out more than once, and for the first time after `at`. */
  twiceSince(at: number): readonly string[] {
    return [...this.seen].filter(([, times]) => times.length > 1 && (times[0] as number) > at).map(([type]) => type);
  }

  async #push(): Promise<void> {
    for (let number = 0; this.#pushing; number++) {
      const type = `e${number}`;
      const code = await this.#timed(codeOf(this.#queue.push(event(type))));
      if (code === 'done') this.confirmed.add(type);
      if (code === 'NQ_OUTCOME_UNKNOWN') this.unknown.add(type);
      if (code === 'NQ_CLOSED') return;
    }
  }

  async #pop(): Promise<void> {
    for (;;) {
      let delivery: Awaited<ReturnType<MessageQueue['pop']>>;
      const popped = this.#queue.pop({ timeoutMs: 200 }).then((one) => void (delivery = one));
      const code = await this.#timed(codeOf(popped));
      if (delivery !== undefined) {
        const { type } = delivery.event;
        this.seen.set(type, [...(this.seen.get(type) ?? []), performance.now()]);
        // One that is lost makes its event come again, when its lease has ended at the latest.
        await this.#timed(codeOf(delivery.ack()));
      } else if (code === 'NQ_CLOSED' || (code === 'done' && !this.#pushing && (await this.#isEmpty()))) return;
    }
  }

  /** Not known to be if it cannot be asked. */
  async #isEmpty(): Promise<boolean> {
    const size = await this.#queue.size().catch(() => undefined);
    return size !== undefined && size.ready + size.inFlight + size.delayed === 0;
  }

  async #timed(call: Promise<string>): Promise<string> {
    const startedAt = performance.now();
    const code = await call;
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
    this.codes.add(code);
    return code;
  }
}

describe.skipIf(missing !== undefined)(`a cluster with replicas of ${name}`, () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    // What was answered before a kill is on the disk.
    cluster = await redisCluster({ replicas: 1, config: ['appendonly yes', 'appendfsync always'] });
  });
  afterEach(async () => {
    for (const node of cluster.nodes) if (node.pid === undefined) await node.start();
    await cluster.untilOk();
    await cluster.untilReplicated();
  });
  afterAll(() => cluster?.stop());

  const open = (options: Partial<RedisQueueOptions>) => {
    const common = {
      cluster: addrsOf(cluster.nodes),
      capacity: Infinity,
      requestTimeoutMs,
      leaseMs: 5000,
      onWarning: () => {},
    };
    return redisQueue({ queueKey: newKey(), ...common, ...options });
  };

  describe.each(modes)('with %s', (_mode, mode) => {
    test('loses nothing that a replica has confirmed when the primary dies, and the queue goes on', async () => {
      const queueKey = newKey();
      await using queue = await open({ ...mode, queueKey, durability: { replicas: 1, timeoutMs: 500 } });
      const primary = await cluster.primaryOf(queueKey);
      const work = new Work(queue);
      await until('some to be confirmed', () => work.confirmed.size > 200);
      await primary.kill();
      const next = await cluster.primaryOf(queueKey);
      const promotedAt = performance.now();
      expect(next).not.toBe(primary);
      // With nobody to confirm it, a push is of unknown outcome; and everything is delivered all the same.
      const before = work.unknown.size;
      await until('pushes that nobody confirms', () => work.unknown.size > before + 2);
      await primary.start();
      const confirmed = work.confirmed.size;
      await until('some to be confirmed by the former primary', () => work.confirmed.size > confirmed + 50);
      await work.end();
      const { seen, codes, slowestMs } = work;
      expect([...work.confirmed].filter((type) => !seen.has(type))).toEqual([]);
      expect([...seen.keys()].filter((type) => !work.confirmed.has(type) && !work.unknown.has(type))).toEqual([]);
      expect(work.twiceSince(promotedAt)).toEqual([]);
      for (const code of codes) {
        expect(code).toBeOneOf(['done', 'NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE', 'NQ_LEASE_LOST']);
      }
      expect(slowestMs).toBeLessThan(boundMs);
    });

    test('loses and repeats nothing when a replica takes over as it is told to, and the queue goes on', async () => {
      const queueKey = newKey();
      await using queue = await open({ ...mode, queueKey });
      const primary = await cluster.primaryOf(queueKey);
      const work = new Work(queue);
      await until('some to be confirmed', () => work.confirmed.size > 200);
      const replica = await replicaOf(primary);
      expect(await replica.command('CLUSTER', 'FAILOVER')).toBe('OK');
      await until('the replica to have taken over', async () => (await cluster.primaryOf(queueKey)) === replica);
      const confirmed = work.confirmed.size;
      await until('some to be confirmed by the other one', () => work.confirmed.size > confirmed + 200);
      await work.end();
      const { seen, codes, slowestMs } = work;
      expect([...work.confirmed].filter((type) => !seen.has(type))).toEqual([]);
      expect([...seen.keys()].filter((type) => !work.confirmed.has(type) && !work.unknown.has(type))).toEqual([]);
      expect(work.twiceSince(0)).toEqual([]);
      for (const code of codes) expect(code).toBeOneOf(['done', 'NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE']);
      expect(slowestMs).toBeLessThan(boundMs);
    });

    test('has leases, delays and dead letters at the next primary, and wakes who waits there', async () => {
      const queueKey = newKey();
      await using queue = await open({ ...mode, queueKey, leaseMs: 60_000 });
      await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
      const [a, b, c] = await queue.popMany(3);
      await b?.nack({ delayMs: 1000 });
      await c?.nack({ deadLetter: true });
      const primary = await cluster.primaryOf(queueKey);
      await cluster.untilReplicated();
      await primary.kill();
      await cluster.primaryOf(queueKey);
      await until('the queue to be there', () => queue.size());
      expect(await codeOf(a?.ack())).toBe('done');
      expect(await queue.deadLetters.list()).toMatchObject([{ event: { type: 'c' } }]);
      expect(await queue.deadLetters.replay()).toBe(1);
      const types: string[] = [];
      await until('all to come', async () => types.push(...(await drain(queue))) > 0 && types.length >= 3);
      expect(types.toSorted()).toEqual(['b', 'c', 'd']);
      const popped = take(queue, 10_000);
      await untilBlocked(await cluster.primaryOf(queueKey), queueKey);
      await queue.push(event('e'));
      expect((await popped).event.type).toBe('e');
      await (await popped).ack();
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    });

    test('a pop that waits while the primary dies ends in time, or takes what comes to the next one', async () => {
      const queueKey = newKey();
      await using queue = await open({ ...mode, queueKey });
      await using producer = await open({ ...mode, queueKey });
      const primary = await cluster.primaryOf(queueKey);
      const popped = queue.pop({ timeoutMs: 60_000 }).then(
        (delivery) => delivery?.ack().then(() => delivery.event.type),
        (error: { readonly code?: unknown }) => error.code,
      );
      await untilBlocked(primary, queueKey);
      const killedAt = performance.now();
      await primary.kill();
      await cluster.primaryOf(queueKey);
      await until('a push', () => producer.push(event('a')).then(() => true));
      expect(await popped).toBeOneOf(['a', 'NQ_UNAVAILABLE', 'NQ_OUTCOME_UNKNOWN']);
      expect(performance.now() - killedAt).toBeLessThan(20_000);
    });
  });

  test('a queue that only consumes goes on at the next primary when its own falls silent', async () => {
    const queueKey = newKey();
    await using queue = await open({ queueKey, requestTimeoutMs: 500 });
    await using producer = await open({ queueKey, requestTimeoutMs: 500 });
    const primary = await cluster.primaryOf(queueKey);
    const replica = await replicaOf(primary);
    // No call waits for an answer as long as the queue does.
    const pop = () => queue.pop({ timeoutMs: 100 });
    await pop();
    await primary.freeze();
    try {
      const hasTakenOver = async (): Promise<boolean> => {
        await pop().catch(() => {});
        return String(await replica.command('INFO', 'replication')).includes('role:master');
      };
      await until('the replica to take over', hasTakenOver);
      await until('a push', () => producer.push(event('a')).then(() => true));
      const delivery = await until('the event', pop, { deadlineMs: 10_000 });
      expect(delivery.event.type).toBe('a');
      await delivery.ack();
    } finally {
      await primary.thaw();
    }
  });

  test('is opened in time when one of the addresses is that of a node that is dead', async () => {
    const queueKey = newKey();
    const primary = await cluster.primaryOf(queueKey);
    await primary.kill();
    await cluster.primaryOf(queueKey);
    await cluster.untilOk();
    const startedAt = performance.now();
    await using queue = await open({
      queueKey,
      cluster: addrsOf([primary, ...cluster.nodes]),
    });
    await queue.push(event('a'));
    expect(await drain(queue)).toEqual(['a']);
    expect(performance.now() - startedAt).toBeLessThan(boundMs);
  });

  test('the next primary is found where no other primary is left to ask, and not only by chance', async () => {
    await using own = await redisCluster({ nodes: 1, replicas: 2 });
    const [primary, next, other] = own.nodes as [TestRedis, TestRedis, TestRedis];
    const queueKey = newKey();
    await using queue = await open({ queueKey, cluster: addrsOf(own.nodes) });
    await queue.push(event('before'));
    await own.untilReplicated();
    await primary.kill();
    // Nobody is left who could vote.
    expect(await next.command('CLUSTER', 'FAILOVER', 'TAKEOVER')).toBe('OK');
    await until('the other one to follow', async () =>
      String(await other.command('INFO', 'replication')).includes(`master_port:${next.port}\r`),
    );
    await until('a push', () => queue.push(event('first')).then(() => true));
    const codes: string[] = [];
    for (let number = 0; number < 60; number++) codes.push(await codeOf(queue.push(event(`e${number}`))));
    // One that was sent to the other one may be refused, and no more than one.
    expect(codes.filter((code) => code !== 'done').length).toBeLessThanOrEqual(1);
    expect((await drain(queue))[0]).toBe('before');
  });

  test('a connection that is lost while replicas are waited for is no confirmation by those that never had the event', async () => {
    await using own = await redisCluster({ nodes: 1, replicas: 2 });
    const [primary, next, other] = own.nodes as [TestRedis, TestRedis, TestRedis];
    const queueKey = newKey();
    const durability = { replicas: 1, timeoutMs: 8000 };
    await using queue = await open({ queueKey, cluster: addrsOf(own.nodes), durability, requestTimeoutMs: 10_000 });
    await queue.push(event('confirmed'));
    await own.untilReplicated();
    await primary.command('ACL', 'SETUSER', 'default', '-psync', '-sync');
    expect(await primary.command('CLIENT', 'KILL', 'TYPE', 'replica')).toBe(2);
    const pushed = codeOf(queue.push(event('lost')));
    await until('the queue to wait', async () => / cmd=wait /.test(String(await primary.command('CLIENT', 'LIST'))));
    await primary.kill();
    // Nobody is left who could vote.
    expect(await next.command('CLUSTER', 'FAILOVER', 'TAKEOVER')).toBe('OK');
    expect(await own.primaryOf(queueKey)).toBe(next);
    expect(await pushed).toBe('NQ_OUTCOME_UNKNOWN');
    expect(await next.command('LLEN', queueKey)).toBe(1);
    await until('the other one to follow', async () =>
      String(await other.command('INFO', 'replication')).includes(`master_port:${next.port}\r`),
    );
  });

  /** The one that follows `primary`. */
  async function replicaOf(primary: TestRedis): Promise<TestRedis> {
    for (const node of cluster.nodes) {
      const info = String(await node.command('INFO', 'replication'));
      if (info.includes('role:slave') && info.includes(`master_port:${primary.port}\r`)) return node;
    }
    throw new Error('nobody follows it');
  }
});
