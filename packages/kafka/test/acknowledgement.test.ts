import { kafkaOffer, type Link, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take } from './support/queue.ts';

const offer = await kafkaOffer();

describe.skipIf(offer.missing !== undefined || !offer.ours)(`an acknowledgement on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({ config: ['group.min.session.timeout.ms=1000'] });
  });
  afterAll(() => server?.stop());

  const session = { sessionTimeoutMs: 2000, createTopic: { partitions: 1, replicationFactor: 1 } };

  /** What becomes of a delivery whose acknowledgement gets no answer, and whose partition goes to another queue object. */
  const settleTwice = async (
    hurt: (link: Link) => void,
  ): Promise<{ readonly seen: string; readonly answer: string }> => {
    const topic = newTopic();
    const [link] = server.links as [Link];
    const linked = { brokers: server.linkedBrokers, requestTimeoutMs: 1000 };
    await using queue = await openQueue(server, { ...session, ...linked, topic });
    await using other = await openQueue(server, { ...session, topic });
    await queue.push({ type: 'event' });
    const delivery = await take(queue);
    hurt(link);
    await expect(delivery.ack()).rejects.toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
    await other.push({ type: 'next' });
    const held = await take(other, 20_000);
    link.heal();
    const ask = async (): Promise<string | undefined> => {
      try {
        await delivery.ack();
        return 'resolves';
      } catch (error) {
        const { code } = error as { readonly code?: string };
        return code === 'NQ_OUTCOME_UNKNOWN' ? undefined : `rejects ${code}`;
      }
    };
    const answer = await until('an answer', ask);
    await held.ack();
    return { seen: held.event.type, answer };
  };

  test('whose answer was lost resolves when it is asked for again, in whosever hands the partition is then', async () => {
    expect(await settleTwice((link) => link.dropReplies())).toEqual({ seen: 'next', answer: 'resolves' });
  });

  test('that never arrived is told to be lost when it is asked for again, and the event is handed out again', async () => {
    expect(await settleTwice((link) => link.cut())).toEqual({ seen: 'event', answer: 'rejects NQ_LEASE_LOST' });
  });
});
