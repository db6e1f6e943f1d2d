import { kafkaOffer, type TestKafka } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();
const onePartition = { createTopic: { partitions: 1, replicationFactor: 1 } };

describe.skipIf(offer.missing !== undefined || !offer.ours)(`rewind() on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  test('moves a group that others consume for, and takes from them what they hold', async () => {
    const topic = newTopic();
    await using first = await openQueue(server, { topic, ...onePartition });
    await using second = await openQueue(server, { topic, ...onePartition });
    await first.pushMany(['a', 'b', 'c'].map((type) => ({ type, key: type })));
    expect(await takeAll(first, 2)).toEqual(['a', 'b']);
    const held = await take(first);
    await second.rewind({ position: 'earliest' });
    await expect(held.ack()).rejects.toMatchObject({ code: 'NQ_LEASE_LOST' });
    expect(held.signal.aborted).toBe(true);
    expect(await takeAll(second, 3)).toEqual(['a', 'b', 'c']);
    expect(await second.pop({ timeoutMs: 300 })).toBeUndefined();
  });

  test('goes to offsets, to the end, and to where records begin that are kept', async () => {
    await using queue = await openQueue(server, onePartition);
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type })));
    await queue.rewind({ position: '0:1' });
    expect(await takeAll(queue, 2)).toEqual(['b', 'c']);
    await queue.rewind({ position: 'earliest' });
    await queue.rewind({ position: 'latest' });
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    await queue.push({ type: 'd' });
    expect(await takeAll(queue, 1)).toEqual(['d']);
  });

  test('leaves partitions alone that it does not name', async () => {
    await using queue = await openQueue(server, { createTopic: { partitions: 2, replicationFactor: 1 } });
    const types = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    await queue.pushMany(types.map((type) => ({ type, key: type })));
    const before = await takeAll(queue, types.length);
    await queue.rewind({ position: '0:0' });
    const { ready } = await queue.size();
    expect(ready).toBeGreaterThan(0);
    expect(ready).toBeLessThan(types.length);
    const again = await takeAll(queue, ready);
    expect(before).toEqual(expect.arrayContaining(again));
    expect(await queue.pop({ timeoutMs: 300 })).toBeUndefined();
  });

  test.for([
    ['first', 'position must be earliest, latest or offsets such as 0:120,3:7, got "first"'],
    ['0:1,0:2', 'position must be earliest, latest or offsets such as 0:120,3:7, got "0:1,0:2"'],
    ['0:99999999999999999', 'position must be earliest, latest or offsets'],
    ['7:0', 'has no partition 7'],
    ['0:5', 'ends at 1, got offset 5'],
  ] as const)('to %s is refused before anything happens', async ([position, message]) => {
    await using queue = await openQueue(server, onePartition);
    await queue.push({ type: 'a' });
    const refused = queue.rewind({ position });
    await expect(refused).rejects.toThrow(RangeError);
    await expect(refused).rejects.toThrow(message);
    expect(await takeAll(queue, 1)).toEqual(['a']);
  });
});
