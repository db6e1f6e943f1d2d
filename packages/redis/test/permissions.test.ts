import { isNqError } from '@nq/core';
import { runConformance } from '@nq/core/conformance';
import { Redis } from 'ioredis';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { aclRules } from '../src/index.ts';
import { clients, codeOf, drain, openQueue, take, untilBlocked } from './support/queue.ts';
import { redisHarness } from './support/redis-harness.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });
const access = { username: 'nq', password: 'hunter2' };

const modes = [
  { mode: 'list', options: {} },
  { mode: 'stream', options: { mode: 'stream', group: 'orders', retain: 0, capacity: 100 } },
] as const;
const where = notOurs ?? offer.name;

describe.skipIf(notOurs !== undefined).each(modes)(
  `a user with the rules of a $mode on ${where}`,
  ({ mode, options }) => {
    const server = useServer();

    const allow = (queueKey: string, rules = aclRules(queueKey, mode)) =>
      server().command('ACL', 'SETUSER', access.username, 'reset', 'on', `>${access.password}`, ...rules);

    /** Everything that a queue can be asked for. @throws what any of it rejects with. */
    async function everything(queueKey: string): Promise<void> {
      const own = { ...options, ...access, queueKey, db: 1 };
      await using queue = await openQueue(server(), { ...own, durability: { replicas: 1, timeoutMs: 1 } });
      await using waiting = await openQueue(server(), own);
      await using brief = await openQueue(server(), { ...own, leaseMs: 300 });
      const unlessReplica = (error: unknown): void => {
        if (!isNqError(error, 'NQ_OUTCOME_UNKNOWN') || error.cause !== undefined) throw error;
      };
      // Enough to be copied without being read, and settled a part at a time.
      await queue.pushMany(Array.from({ length: 20 }, () => event('many'))).catch(unlessReplica);
      for (const delivery of await queue.popMany(20)) await delivery.ack();
      await queue.pushMany(['a', 'b', 'c', 'd', 'e'].map(event)).catch(unlessReplica);
      const [a, b, c, d, e] = await queue.popMany(5);
      await a?.ack();
      await b?.extend(60_000);
      await b?.nack({ delayMs: 1 });
      for (const delivery of [c, d, e]) await delivery?.nack({ deadLetter: true });
      const [first, second] = await queue.deadLetters.list();
      expect(await queue.deadLetters.count()).toBe(3);
      expect(await queue.deadLetters.replay([first?.event.id ?? ''])).toBe(1);
      expect(await queue.deadLetters.remove([second?.event.id ?? ''])).toBe(1);
      expect(await queue.deadLetters.replay()).toBe(1);
      await (await take(waiting)).nack();
      // The leases of some that were handed out together end by themselves, and they are given back by who looks.
      await queue.size();
      await until('the delay to be over', async () => (await queue.size()).ready === 3);
      expect(await brief.popMany(3)).toHaveLength(3);
      for (let left = 3; left > 0; left--) await (await take(waiting)).ack();

      // Woken by a push, and by one that nobody waits for any more.
      const popped = take(waiting);
      popped.catch(() => {});
      await untilBlocked(server(), queueKey, { deadlineMs: 5000 });
      await queue.push(event('f')).catch(unlessReplica);
      await (await popped).ack();
      const end = new AbortController();
      const given = codeOf(waiting.pop({ signal: end.signal }));
      await untilBlocked(server(), queueKey, { deadlineMs: 5000 });
      end.abort(new Error('enough'));
      expect(await given).toBe('Error: enough');
      await queue.push(event('g')).catch(unlessReplica);
      await (await take(queue)).ack();
      if (mode === 'list') return;
      await queue.rewind({ time: 0 });
      await drain(queue);
      // A group of somebody else that has something in hand, which must not be trimmed.
      const them = new Redis(server().url, { db: 1 });
      await them.xgroup('CREATE', queueKey, 'theirs', '0');
      await them.xreadgroup('GROUP', 'theirs', 'them', 'COUNT', 1, 'STREAMS', queueKey, '>');
      them.disconnect();
      await queue.push(event('h')).catch(unlessReplica);
    }

    /** How often, and how, the server has refused something. */
    async function refusals(): Promise<string> {
      const log = (await server().command('ACL', 'LOG', 128)) as (string | number)[][];
      return log.map(([, count, , reason, , object]) => `${count} ${reason} ${object}`).join(', ');
    }

    test.each(['events', 'notification:events', '{shop}:orders', 'a*b?[c]\\d', 'a b'])(
      'can do everything for %s',
      async (name) => {
        const queueKey = `${name}:${newKey()}`;
        await allow(queueKey);
        await server().command('ACL', 'LOG', 'RESET');
        await everything(queueKey);
        expect(await refusals()).toBe('');
      },
    );

    test('can do nothing with another key', async () => {
      const queueKey = newKey();
      await allow(queueKey);
      for (const other of [newKey(), `${queueKey}2`, `x${queueKey}`]) {
        const failure = await openQueue(server(), { ...options, ...access, queueKey: other }).catch((error) => error);
        expect(failure).toMatchObject({
          code: 'NQ_CONFIG',
          message: expect.stringMatching(/lacks a permission: aclRules\(queueKey, mode\) .*\(a key\)$/),
        });
      }
    });

    test('a pattern in the key is no pattern of keys', async () => {
      const queueKey = `${newKey()}*`;
      await allow(queueKey);
      const failure = await openQueue(server(), { ...options, ...access, queueKey: queueKey.replace('*', 'x') }).catch(
        (error) => error,
      );
      expect(failure).toMatchObject({ code: 'NQ_CONFIG' });
    });

    test('can do what the rules of a queue say, the quick ones', async () => {
      const harness = redisHarness(offer.name, () => offer.start({ config: ['appendonly yes'] }), {
        ...options,
        ...access,
        prepare: async (other, queueKey) => {
          // A trial may have several queues.
          const rules = aclRules(queueKey, mode).filter((rule) => rule !== 'resetkeys');
          await other.command('ACL', 'SETUSER', access.username, 'on', `>${access.password}`, ...rules);
        },
      });
      const { rules: results } = await runConformance(harness, { tiers: ['smoke'], seed: 7 });
      expect(results.length).toBeGreaterThan(10);
      expect(results.filter(({ status }) => status !== 'PASS' && status !== 'N-A')).toEqual([]);
    });

    test.each(clients)(
      'that may run scripts, and only what opening calls, is told what it lacks, with $name',
      async ({ at }) => {
        const queueKey = newKey();
        const opening = ['type', 'zrange', 'zscore', 'zadd', 'xinfo|groups', 'xgroup|create'];
        const theirs = ['select', 'client|setname', 'info', 'eval', 'evalsha', ...opening];
        await allow(queueKey, ['~*', ...theirs.map((command) => `+${command}`)]);
        await using queue = await openQueue(server(), { ...options, ...at(server(), access), queueKey });
        const calls = [queue.push(event('a')), queue.pop(), queue.size(), queue.deadLetters.list()];
        for (const outcome of await Promise.allSettled(calls)) {
          const message = expect.stringMatching(/lacks a permission: aclRules\(queueKey, mode\) of @nq\/redis has/);
          expect(outcome).toMatchObject({ reason: { code: 'NQ_CONFIG', message } });
        }
        await allow(queueKey);
        expect(await drain(queue)).toEqual([]);
        await queue.push(event('b'));
        expect(await drain(queue)).toEqual(['b']);
      },
    );

    const commands = aclRules('q', mode)
      .filter((rule) => rule.startsWith('+') && !rule.startsWith('+cluster|') && rule !== '+asking')
      .map((rule) => rule.slice(1));

    test.each(commands)('loses nothing without %s', async (command) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...options, queueKey });
      const types = Array.from({ length: 20 }, (_, number) => `e${number}`);
      await queue.pushMany(types.map(event));
      await (await take(queue)).nack();
      await allow(
        queueKey,
        aclRules(queueKey, mode).filter((rule) => rule !== `+${command}`),
      );
      const own = { ...options, ...access, queueKey, leaseMs: 100, requestTimeoutMs: 200, openTimeoutMs: 500 };
      const lacking = await openQueue(server(), own).catch(() => undefined);
      for (let tries = 0; tries < 2; tries++) {
        const deliveries = (await lacking?.popMany(types.length, { timeoutMs: 0 }).catch(() => [])) ?? [];
        await Promise.all(deliveries.map((delivery) => delivery.nack().catch(() => {})));
      }
      await lacking?.close();
      const seen = new Set<string>();
      // What was taken while it could not be forgotten comes twice, the second time when its lease ends.
      await until('every event to come, and the queue to be empty', async () => {
        for (const type of await drain(queue)) seen.add(type);
        const { ready, inFlight, delayed } = await queue.size();
        return seen.size >= types.length && ready + inFlight + delayed === 0;
      });
      expect(seen).toEqual(new Set(types));
    });

    test.each(commands)('cannot do everything without %s', async (command) => {
      const queueKey = newKey();
      await allow(
        queueKey,
        aclRules(queueKey, mode).filter((rule) => rule !== `+${command}`),
      );
      await server().command('SCRIPT', 'FLUSH');
      await server().command('ACL', 'LOG', 'RESET');
      const failure = await everything(queueKey).catch((error: unknown) => error);
      // What only ioredis asks for is refused in silence.
      expect(failure !== undefined || (await refusals()) !== '').toBe(true);
    });
  },
);
