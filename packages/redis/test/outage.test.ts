import { setTimeout as sleep } from 'node:timers/promises';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import {
  clients,
  codeOf,
  countsOf,
  drain,
  nothing,
  openQueue,
  pushWhenBack,
  take,
  untilBlocked,
} from './support/queue.ts';
import { Program } from './support/process.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });
const numbered = (count: number) => Array.from({ length: count }, (_, number) => event(`e${number}`));

describe.skipIf(notOurs !== undefined)(`a server in trouble: ${notOurs ?? offer.name}`, () => {
  const server = useServer('appendonly yes', 'appendfsync always');

  describe.each(clients)('with $name', ({ at, textAt }) => {
    test('a primary that is a replica for a while stores nothing meanwhile, and each event once', async () => {
      const queueKey = newKey();
      const options = { ...at(server()), requestTimeoutMs: 1000 };
      await using queue = await openQueue(server(), { ...options, queueKey });
      await queue.push(event('a'));
      const waitingKey = newKey();
      await using waiting = await openQueue(server(), { ...options, queueKey: waitingKey });
      const popped = codeOf(waiting.pop());
      await untilBlocked(server(), waitingKey);
      await server().command('REPLICAOF', '127.0.0.1', '1');
      try {
        // The server ends what waits, and refuses what is asked after that.
        expect(await popped).toBe('NQ_UNAVAILABLE');
        expect(await codeOf(queue.push(event('b')))).toBe('NQ_UNAVAILABLE');
        expect(await codeOf(queue.pop())).toBe('NQ_UNAVAILABLE');
      } finally {
        await server().command('REPLICAOF', 'NO', 'ONE');
      }
      await pushWhenBack(queue, 'c');
      expect(await drain(queue)).toEqual(['a', 'c']);
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
      await pushWhenBack(waiting, 'd');
      expect(await drain(waiting)).toEqual(['d']);
      expect(await countsOf(server(), waitingKey)).toEqual(nothing);
    });

    test('who pushes again without a pause does not keep the queue from connecting to a primary again', async () => {
      const queueKey = newKey();
      // In a process of its own, for one that does nothing else cannot be stopped otherwise.
      await using program = new Program(`
        const queue = await redisQueue({ ${textAt(server())}, queueKey: '${queueKey}', onWarning: () => {} });
        console.log('open');
        const codes = new Set();
        for (let isDone = false; !isDone || !codes.has('NQ_UNAVAILABLE');) {
          isDone = await queue.push({ type: 'a' }, { timeoutMs: 0 }).then(() => true, ({ code }) => {
            if (!codes.has(code)) console.log(code);
            codes.add(code);
          });
        }
        console.log('pushed', [...codes].join());
        await queue.close();`);
      await until('it to be open', () => program.output.includes('open'));
      await server().command('REPLICAOF', '127.0.0.1', '1');
      try {
        await until('it to be refused', () => program.output.includes('NQ_UNAVAILABLE'), { deadlineMs: 10_000 });
      } finally {
        await server().command('REPLICAOF', 'NO', 'ONE');
      }
      await until('it to push', () => program.output.includes('pushed'), { deadlineMs: 10_000 });
      expect(await program.ended).toBe(0);
    });

    test('a push whose answer was lost is not called unavailable because it is refused when it is sent again', async () => {
      const queueKey = newKey();
      const link = await server().link();
      await using queue = await openQueue(link, { ...at(link), queueKey });
      link.cutBeforeAnswer();
      const pushed = codeOf(queue.push(event('a')));
      await until('the answer to be lost', () => link.isCut);
      await server().command('ACL', 'SETUSER', 'default', '-evalsha', '-eval');
      try {
        link.heal();
        expect(await pushed).toBe('NQ_OUTCOME_UNKNOWN');
      } finally {
        await server().command('ACL', 'SETUSER', 'default', '+@all');
      }
      expect(await drain(queue)).toEqual(['a']);
    });

    test('a pop whose answer was lost, and which is refused when it is sent again, takes nothing from others', async () => {
      const queueKey = newKey();
      const link = await server().link();
      await using queue = await openQueue(link, { ...at(link), queueKey, leaseMs: 1500 });
      await queue.pushMany([event('a'), event('b')]);
      link.cutBeforeAnswer();
      const popped = codeOf(queue.pop());
      await until('the answer to be lost', () => link.isCut);
      await server().command('ACL', 'SETUSER', 'default', '-evalsha', '-eval');
      try {
        link.heal();
        expect(await popped).toBe('NQ_OUTCOME_UNKNOWN');
      } finally {
        await server().command('ACL', 'SETUSER', 'default', '+@all');
      }
      // Its number must not be used for this one.
      await (await take(queue)).ack();
      const again = await take(queue);
      expect(again).toMatchObject({ attempt: 2, event: { type: 'a' } });
      await again.ack();
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
    });

    test('an ack whose answer was lost waits until a server that refuses it says what it has done', async () => {
      const queueKey = newKey();
      const link = await server().link();
      await using queue = await openQueue(link, { ...at(link), queueKey, requestTimeoutMs: 10_000 });
      await queue.push(event('a'));
      const held = await take(queue);
      link.cutBeforeAnswer();
      const acked = codeOf(held.ack());
      await until('the answer to be lost', () => link.isCut);
      await server().command('CONFIG', 'RESETSTAT');
      await server().command('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
      await server().command('REPLICAOF', '127.0.0.1', '1');
      try {
        link.heal();
        // MASTERDOWN, each time: before the script is run, or, since Redis 7, in it.
        const isRefused = async (): Promise<boolean> => {
          const stats = String(await server().command('INFO', 'commandstats'));
          const [, rejected, failed] = /cmdstat_evalsha:.*rejected_calls=(\d+),failed_calls=(\d+)/.exec(stats) ?? [];
          return Number(rejected) + Number(failed) >= 2;
        };
        await until('it to be refused', isRefused, { deadlineMs: 10_000 });
      } finally {
        await server().command('REPLICAOF', 'NO', 'ONE');
        await server().command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
      }
      expect(await acked).toBe('done');
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
    });

    test('scripts that the server has forgotten are sent again, however much is asked for at once', async () => {
      const queueKey = newKey();
      const open = () => openQueue(server(), { ...at(server()), queueKey });
      await using queue = await open();
      await using other = await open();
      for (let round = 0; round < 2; round++) {
        await queue.pushMany(numbered(100));
        const held = await other.popMany(100);
        expect(held).toHaveLength(100);
        await server().command('SCRIPT', 'FLUSH');
        await Promise.all([
          ...held.map((delivery) => delivery.ack()),
          ...numbered(100).map((one) => queue.push(one)),
          ...[queue.size(), other.size(), other.deadLetters.count(), queue.deadLetters.list()],
        ]);
        expect((await drain(other)).toSorted()).toEqual(
          numbered(100)
            .map(({ type }) => type)
            .toSorted(),
        );
        expect(await countsOf(server(), queueKey)).toEqual(nothing);
        await server().command('SCRIPT', 'FLUSH');
      }
    });

    test('a server that pauses answers late, and everything once', async () => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...at(server()), queueKey, requestTimeoutMs: 10_000 });
      await queue.pushMany(numbered(3));
      await server().command('CLIENT', 'PAUSE', 400, 'ALL');
      const popped = queue.popMany(3);
      await queue.push(event('later'));
      await Promise.all((await popped).map((delivery) => delivery.ack()));
      expect(await drain(queue)).toEqual(['later']);
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
    });

    test('a queue is opened once the server answers, also if it greets nobody meanwhile', async () => {
      const queueKey = newKey();
      const startedAt = performance.now();
      await server().command('CLIENT', 'PAUSE', 2000, 'WRITE');
      const opened = openQueue(server(), { ...at(server()), queueKey, requestTimeoutMs: 150, openTimeoutMs: 10_000 });
      const ids = new Set<string>();
      await until('it to be asked again, on another connection', async () => {
        const clientList = String(await server().command('CLIENT', 'LIST'));
        for (const line of clientList.split('\n'))
          if (line.includes(`name=nq:${queueKey} `)) ids.add(line.split(' ', 1)[0] ?? '');
        return ids.size > 1;
      });
      await server().command('CLIENT', 'PAUSE', 1000, 'ALL');
      await (await opened).close();
      expect(performance.now() - startedAt).toBeGreaterThan(900);
    });

    test.each([150, 10_000])('who opens a queue is told in time that nothing answers within %i ms', async (ms) => {
      await server().command('CLIENT', 'PAUSE', 10_000, 'WRITE');
      try {
        const startedAt = performance.now();
        const opened = openQueue(server(), { ...at(server()), requestTimeoutMs: ms, openTimeoutMs: 500 });
        await expect(opened).rejects.toMatchObject({
          code: 'NQ_UNAVAILABLE',
          message: expect.stringMatching(
            /^Cannot open a Redis queue: (?:Redis has not answered in time$|there is no conn)/,
          ),
        });
        expect(performance.now() - startedAt).toBeLessThan(2500);
      } finally {
        await server().command('CLIENT', 'UNPAUSE');
      }
    });

    test('a server that stands still makes calls end, and the same object works when it goes on', async () => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...at(server()), queueKey, requestTimeoutMs: 1000 });
      await queue.pushMany(numbered(3));
      const [first, second] = await queue.popMany(2);
      await server().freeze();
      const calls = [first?.ack(), second?.nack(), queue.push(event('unknown')), queue.pop()].map(codeOf);
      expect(await Promise.all(calls)).toEqual(Array(4).fill('NQ_OUTCOME_UNKNOWN'));
      // These find a connection that is not made yet.
      expect(await codeOf(queue.push(event('refused')))).toBe('NQ_UNAVAILABLE');
      await server().thaw();
      await until('the ack', () => first?.ack().then(() => true));
      await until('the nack', () => second?.nack().then(() => true));
      await pushWhenBack(queue, 'last');
      const types = await drain(queue);
      expect(types.filter((type) => type !== 'unknown')).toEqual(['e1', 'e2', 'last']);
      expect(types.filter((type) => type === 'unknown').length).toBeLessThanOrEqual(1);
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
    });

    test('a server that was killed has everything when it is back, and leases end as if nothing had been', async () => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), {
        ...at(server()),
        queueKey,
        leaseMs: 1000,
        requestTimeoutMs: 5000,
      });
      await queue.pushMany(numbered(50));
      const taken = await queue.popMany(20);
      await Promise.all(taken.slice(0, 10).map((delivery) => delivery.ack()));
      await Promise.all(taken.slice(10, 12).map((delivery) => delivery.nack({ delayMs: 1 })));
      const popping = queue.popMany(5);
      await server().kill();
      const pushing = codeOf(queue.push(event('late'), { timeoutMs: 10_000 }));
      await server().start();
      const lost = (await popping).length;
      const outcome = await pushing;
      const types = new Set<string>();
      await until('every event', async () => {
        for (const type of await drain(queue)) {
          expect(types).not.toContain(type);
          types.add(type);
        }
        return types.size >= 40 + (outcome === 'done' ? 1 : 0);
      });
      expect(lost).toBe(5);
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    });

    test('a server that loads its data is unavailable until it has, and then has everything', async () => {
      // It reads slowly, and answers after every two megabytes.
      const config = ['save ""', 'key-load-delay 4000', 'rdbcompression no'];
      await using loading = await offer.start({ config });
      const queueKey = newKey();
      await using queue = await openQueue(loading, { ...at(loading), queueKey, requestTimeoutMs: 1000 });
      await queue.pushMany(numbered(3));
      const [held] = await queue.popMany(1);
      const fill = `for key = 1, 1000 do redis.call('SET', key, string.rep('x', 20000)) end`;
      await loading.command('EVAL', fill, 0);
      await loading.command('SAVE');
      await loading.kill();
      const loaded = loading.start();
      await until('it to load', async () => /LOADING/.test(await loading.command('PING').then(String, String)));
      expect(await Promise.all([queue.push(event('refused')), queue.pop(), held?.ack()].map(codeOf))).toEqual(
        Array(3).fill('NQ_UNAVAILABLE'),
      );
      await loaded;
      await until('the ack', () => held?.ack().then(() => true));
      expect(await drain(queue)).toEqual(['e1', 'e2']);
      expect(await countsOf(loading, queueKey)).toEqual(nothing);
    });

    test('connections that are killed at random lose nothing and double nothing, for a hundred callers', async () => {
      const queueKey = newKey();
      const random = seeded(20_261_127);
      const queues = await Promise.all(
        [1, 2, 3].map(() => openQueue(server(), { ...at(server()), queueKey, capacity: 200, requestTimeoutMs: 5000 })),
      );
      const total = 6000;
      const seen = new Map<string, number>();
      let pushed = 0;
      let acked = 0;
      const failures: string[] = [];
      const isOver = (): boolean => acked >= total || failures.length > 0;
      const callers = Array.from({ length: 100 }, async (_, number) => {
        const queue = queues[number % queues.length] ?? (await openQueue(server()));
        if (number < 50) {
          for (let mine = pushed++; mine < total && failures.length === 0; mine = pushed++) {
            const code = await codeOf(queue.push(event(`e${mine}`)));
            if (code !== 'done') failures.push(`push: ${code}`);
          }
          return;
        }
        while (!isOver()) {
          const delivery = await queue.pop({ timeoutMs: 200 });
          if (delivery === undefined) continue;
          const { type } = delivery.event;
          seen.set(type, (seen.get(type) ?? 0) + 1);
          const code = await codeOf(delivery.ack());
          if (code !== 'done') failures.push(`ack: ${code}`);
          acked++;
        }
      });
      let kills = 0;
      const killing = (async () => {
        while (!isOver()) {
          const list = String(await server().command('CLIENT', 'LIST')).split('\n');
          const ours = list.filter((line) => line.includes(`name=nq:${queueKey}`));
          const [, id] = /^id=(\d+)/.exec(ours[Math.floor(random() * ours.length)] ?? '') ?? [];
          if (id !== undefined) kills += Number(await server().command('CLIENT', 'KILL', 'ID', id));
          await sleep(random() * 20);
        }
      })();
      await Promise.all([...callers, killing]);
      expect(failures).toEqual([]);
      expect([...seen.values()].filter((times) => times > 1)).toEqual([]);
      expect(seen.size).toBe(total);
      expect(kills).toBeGreaterThan(10);
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
      await Promise.all(queues.map((queue) => queue.close()));
    });
  });
});

/** A generator of numbers in [0, 1), the same ones for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
