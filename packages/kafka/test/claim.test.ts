import { systemClock } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Claim, whileClaimed } from '../src/claim.ts';
import type { KafkaDriver, KafkaMember, MemberListener } from '../src/kafka-driver.ts';
import { KafkajsDriver } from '../src/kafkajs/kafkajs-driver.ts';
import { newTopic, openQueue } from './support/queue.ts';

const offer = await kafkaOffer();
const clock = systemClock;
const nothingDone = [{ partition: 0, offset: 0, metadata: '' }];

describe.skipIf(offer.missing !== undefined || !offer.ours)(`who claims a topic on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const clientOf = (clientId: string): Kafka =>
    new Kafka({ clientId, brokers: [...server.brokers], logLevel: logLevel.NOTHING });

  /** Claims `topic` as a member whose name begins with `name`; the names decide who deals out, and in which order. */
  const claim = async (
    name: string,
    { topic, limitMs = 20_000 }: { readonly topic: string; readonly limitMs?: number },
    work: (claim: Claim) => Promise<void>,
  ): Promise<void> => {
    const driver = new KafkajsDriver({ kafka: clientOf(name), clock, metadataMaxAgeMs: 60_000 });
    const timeouts = { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000 };
    const membership = { topic, group: topic, ...timeouts, fetchBytes: 1024 };
    try {
      await whileClaimed({ driver, clock, membership, limitMs, busy: `${name} has waited in vain` }, work);
    } finally {
      await driver.close();
    }
  };

  const makeTopic = async (): Promise<string> => {
    const topic = newTopic();
    await (await openQueue(server, { topic })).close();
    return topic;
  };

  /** Resolves once the group of `topic` has so many members, and they are at one. */
  const members = async (topic: string, count: number): Promise<void> => {
    const admin = clientOf('watcher').admin();
    await admin.connect();
    await until(`${count} members`, async () => {
      const { groups } = await admin.describeGroups([topic]);
      return groups[0]?.state === 'Stable' && groups[0].members.length === count;
    });
    await admin.disconnect();
  };

  test.for<[string, string, string]>([
    ['before', 'b', 'a'],
    ['behind', 'a', 'b'],
  ])(
    'keeps it until the work is done, also when somebody else wants it who comes %s it by name',
    async ([, first, second]) => {
      const topic = await makeTopic();
      const order: string[] = [];
      let hasWaited = false;
      const keep = claim(first, { topic }, async ({ check, commit }) => {
        order.push(`${first} begins`);
        await until('somebody else to have waited in vain', () => hasWaited);
        check();
        await until('a commit', () => commit(nothingDone).then(() => true));
        order.push(`${first} ends`);
      });
      const contend = async (): Promise<void> => {
        await until('the first to have it', () => order.length > 0);
        const inVain = claim(second, { topic, limitMs: 10_000 }, async () => void order.push('too early'));
        const message = `${second} has waited in vain`;
        await Promise.all([
          expect(inVain).rejects.toMatchObject({ code: 'NQ_UNAVAILABLE', message }),
          members(topic, 2),
        ]);
        hasWaited = true;
        await claim(second, { topic }, async () => void order.push(`${second} begins`));
      };
      await Promise.all([keep, contend()]);
      expect(order).toEqual([`${first} begins`, `${first} ends`, `${second} begins`]);
    },
  );

  test('at the same time as others has it alone, one after the other', async () => {
    const topic = await makeTopic();
    let atWork = 0;
    const most: number[] = [];
    const work = async ({ check, commit }: Claim): Promise<void> => {
      atWork++;
      most.push(atWork);
      await until('a commit', () => commit(nothingDone).then(() => true));
      check();
      atWork--;
    };
    await Promise.all(['c', 'a', 'b'].map((name) => claim(name, { topic }, work)));
    expect(most).toEqual([1, 1, 1]);
  });
});

test('who has claimed a topic waits while its partitions are dealt out anew, and goes on only if they are still theirs', async () => {
  let listener: MemberListener | undefined;
  const member = { pause() {}, close: async () => {} } as unknown as KafkaMember;
  const driver = {
    join: (_options: unknown, told: MemberListener) => {
      listener = told;
      return member;
    },
  } as unknown as KafkaDriver;
  const membership = { topic: 't', group: 'g', sessionTimeoutMs: 1, rebalanceTimeoutMs: 1, fetchBytes: 1 };
  const steps: string[] = [];
  const claimed = whileClaimed(
    { driver, clock, membership, limitMs: 20_000, busy: 'somebody else is' },
    async (mine) => {
      for (let index = 0; index < 2; index++) {
        await listener?.leaving();
        steps.push('asks');
        await mine.check();
        steps.push('goes on');
      }
    },
  );
  const join = (partitions: readonly number[]) => listener?.joined({ generation: {}, continues: true, partitions });
  await join([0]);
  await until('it to ask', () => steps.length === 1);
  await join([0]);
  await until('it to ask again', () => steps.length === 3);
  await join([]);
  await expect(claimed).rejects.toThrow('somebody else is');
  expect(steps).toEqual(['asks', 'goes on', 'asks']);
});
