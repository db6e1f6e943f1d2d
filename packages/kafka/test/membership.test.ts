import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type Link, type TestKafka, until } from 'nq-testbed';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { newTopic, openQueue, take } from './support/queue.ts';
import { names, useWatchedKafka } from './support/watched-kafka.ts';

const offer = await kafkaOffer();
const [listOffsets, findCoordinator, join, heartbeat, sync] = [2, 10, 11, 12, 14];

/** Answers of a coordinator: the group deals out its partitions anew; and the user may not ask for it. */
const beginsAnew = Buffer.from('00000000 001b 00000000'.replaceAll(' ', ''), 'hex');
const isForbidden = Buffer.from('00000000 001e ffff ffffffff 0000 ffffffff'.replaceAll(' ', ''), 'hex');

/** By which ids the group knows its members. */
async function memberIds(server: TestKafka, groupId: string): Promise<readonly string[]> {
  const admin = new Kafka({ brokers: [...server.internalBrokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const { groups } = await admin.describeGroups([groupId]);
  await admin.disconnect();
  return groups[0]?.members.map(({ memberId }) => memberId) ?? [];
}

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a member of a group on ${offer.name}`, () => {
  const watched = useWatchedKafka(offer);

  test('stays one when the clock of its process is set back', async () => {
    const groupId = newTopic();
    await using queue = await openQueue(watched().server, { groupId, idleMs: 60_000 });
    await queue.push({ type: 'a' });
    const held = await take(queue);
    const counts = { heartbeats: 0, joins: 0 };
    watched().fate = (asked) => {
      if (asked.api === heartbeat && names(asked, groupId)) counts.heartbeats++;
      if (asked.api === join && names(asked, groupId)) counts.joins++;
      return undefined;
    };
    const date = Date.now.bind(Date);
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => date() - 3_600_000);
    onTestFinished(() => clock.mockRestore());
    await until('heartbeats', () => counts.heartbeats >= 3);
    expect(counts.joins).toBe(0);
    await held.ack();
  });

  test('prints nothing when it joins, when others join and leave, and when it leaves', async () => {
    const { server } = watched();
    const printed = (['log', 'info', 'warn', 'error'] as const).map((level) => vi.spyOn(console, level));
    onTestFinished(() => printed.forEach((spy) => spy.mockRestore()));
    const options = { topic: newTopic(), groupId: newTopic(), idleMs: 60_000, onWarning: undefined };
    const queue = await openQueue(server, options);
    await queue.push({ type: 'a' });
    await (await take(queue)).ack();
    const other = await openQueue(server, options);
    const waiting = [queue, other].map((one) => one.pop({ timeoutMs: 10_000 }));
    await until('both to be members', async () => (await memberIds(server, options.groupId)).length === 2);
    await Promise.all([other.close(), waiting[1]?.catch(() => {})]);
    await queue.push({ type: 'b' });
    await (await waiting[0])?.ack();
    await queue.close();
    expect(printed.flatMap(({ mock }) => mock.calls)).toEqual([]);
  });

  test('stays the same one through an outage that is shorter than its session, and keeps what it has in hand', async () => {
    const { server } = watched();
    const [link] = server.links as readonly [Link];
    const groupId = newTopic();
    const options = { groupId, brokers: server.linkedBrokers, sessionTimeoutMs: 20_000, idleMs: 60_000 };
    await using queue = await openQueue(server, options);
    await queue.push({ type: 'a' });
    const held = await take(queue);
    const before = await memberIds(server, groupId);
    const { accepted } = link.counts;
    link.cut();
    // More than it tries within one attempt to connect.
    await until('it to have tried again and again', () => link.counts.accepted > accepted + 12);
    link.heal();
    await until('the ack', () => held.ack().then(() => true));
    expect(await memberIds(server, groupId)).toEqual(before);
  });

  test('keeps what it has in hand when another one joins, and leaves before the partitions are dealt out', async () => {
    const { server } = watched();
    const options = { topic: newTopic(), groupId: newTopic(), idleMs: 60_000 };
    await using queue = await openQueue(server, options);
    await queue.push({ type: 'a' });
    const held = await take(queue);
    let [isDealing, mayDeal] = [false, false];
    watched().fate = async (asked) => {
      if (asked.api !== sync || !names(asked, options.groupId)) return undefined;
      isDealing = true;
      await until('the other one to have left', () => mayDeal);
      return undefined;
    };
    const other = await openQueue(server, { ...options, brokers: server.internalBrokers });
    const popped = other.pop().catch(() => 'closed');
    await until('the partitions to be dealt out', () => isDealing);
    await other.close();
    expect(await popped).toBe('closed');
    await until('it to be no member', async () => (await memberIds(server, options.groupId)).length === 1);
    mayDeal = true;
    await queue.push({ type: 'b' });
    const next = await take(queue);
    expect(next.event.type).toBe('b');
    await Promise.all([held.ack(), next.ack()]);
  });

  test('is told that it may not join, also if the group has begun anew just before', async () => {
    const groupId = newTopic();
    await using queue = await openQueue(watched().server, { groupId });
    let hasBegunAnew = false;
    watched().fate = (asked) => {
      if (!names(asked, groupId)) return undefined;
      hasBegunAnew ||= asked.api === sync;
      if (asked.api === sync) return { answer: beginsAnew };
      return asked.api === findCoordinator && hasBegunAnew ? { answer: isForbidden } : undefined;
    };
    await expect(queue.pop({ timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: expect.stringContaining(groupId),
    });
    expect(hasBegunAnew).toBe(true);
  });

  test('begins anew when its session has ended in an outage, and has what is not done', async () => {
    const { server } = watched();
    const [link] = server.links as readonly [Link];
    const groupId = newTopic();
    await using queue = await openQueue(server, { groupId, brokers: server.linkedBrokers, idleMs: 60_000 });
    await queue.push({ type: 'a' });
    const held = await take(queue);
    link.cut();
    await until('the session to end', async () => (await memberIds(server, groupId)).length === 0);
    link.heal();
    const again = await take(queue, 20_000);
    expect(again.event.id).toBe(held.event.id);
    await again.ack();
    await expect(held.ack()).rejects.toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test('that is closed while its join waits for others keeps nobody waiting', async () => {
    await using server = await offer.start({ config: ['group.initial.rebalance.delay.ms=5000'] });
    const [groupId, topic] = [newTopic(), newTopic()];
    const queue = await openQueue(server, { topic, groupId, sessionTimeoutMs: 30_000 });
    const popped = queue.pop().catch(() => 'closed');
    await until('it to join', async () => (await memberIds(server, groupId)).length === 1);
    await queue.close();
    expect(await popped).toBe('closed');
    // Its leave may have its answer when the queue is closed already. The join takes longer to end, and the session much longer.
    await until('it to have left', async () => (await memberIds(server, groupId)).length === 0, { deadlineMs: 4000 });
  });

  test('that asks for a session which the brokers do not allow is told so, by the name of the option', async () => {
    await using queue = await openQueue(watched().server, { sessionTimeoutMs: 86_400_000 });
    await expect(queue.pop()).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message:
        'Cannot pop: sessionTimeoutMs is out of the bounds of the broker, which are its group.min.session.timeout.ms and group.max.session.timeout.ms',
    });
  });

  test('reads a retry topic also where nobody says how far it goes', async () => {
    const topic = newTopic();
    const retry = `${topic}.tests.retry`;
    const options = { topic, retryTopic: true, retryAfterMs: 300 };
    const before = await openQueue(watched().server, options);
    await before.push({ type: 'a' });
    await (await take(before)).nack({ delayMs: 1000 });
    await before.close();
    await using after = await openQueue(watched().server, { ...options, createTopic: undefined });
    watched().fate = (asked) => (asked.api === listOffsets && names(asked, retry) ? 'isLost' : undefined);
    expect(await take(after)).toMatchObject({ attempt: 2, event: { type: 'a' } });
  });
});
