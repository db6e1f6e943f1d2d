import { kafkaOffer, type TestKafka } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openQueue, take, takeAll } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';

const offer = await kafkaOffer();
const limitBytes = 100_000;
const oneTopic = { createTopic: { partitions: 1, replicationFactor: 1 } };
const event = (type: string, bytes: number) => ({ type, key: 'k', data: 'x'.repeat(bytes) });

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a broker that takes little, on ${offer.name},`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({ config: [`message.max.bytes=${limitBytes}`] });
  });
  afterAll(() => server?.stop());

  test('takes what is too large for it only together', async () => {
    await using queue = await openQueue(server, oneTopic);
    const types = Array.from({ length: 400 }, (_, index) => `event-${index}`);
    await queue.pushMany(types.map((type) => event(type, 1000)));
    expect(await takeAll(queue, types.length)).toEqual(types);
  });

  test('refuses one that is too large, names the setting, and takes those around it', async () => {
    await using queue = await openQueue(server, oneTopic);
    const pushes = [event('a', 1000), event('large', 2 * limitBytes), event('b', 1000)].map((one) => queue.push(one));
    const [first, large, last] = await Promise.allSettled(pushes);
    expect([first?.status, last?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(large).toMatchObject({
      reason: {
        code: 'NQ_PAYLOAD',
        message: expect.stringMatching(/^Cannot push: .*message\.max\.bytes of the broker/),
      },
    });
    expect(await takeAll(queue, 2)).toEqual(['a', 'b']);
  });

  test('takes many dead letters at once', async () => {
    await using queue = await openQueue(server, { ...oneTopic, order: 'none' });
    await queue.pushMany(Array.from({ length: 200 }, () => event('dead', 1000)));
    const deliveries = [];
    while (deliveries.length < 200) deliveries.push(await take(queue));
    await Promise.all(deliveries.map((delivery) => delivery.nack({ deadLetter: true })));
    expect(await queue.deadLetters.count()).toBe(200);
  });

  test('is not asked to take what the queue itself does not', async () => {
    await using queue = await openQueue(server, { ...oneTopic, maxPayloadBytes: 5000 });
    const { told } = await refusalOf(() => queue.push({ ...event('large', 5000), id: 'e-1' }));
    expect(told).toMatch(/^NQ_PAYLOAD Cannot encode event "e-1": \d+ bytes are more than the 5000 allowed$/);
    await queue.push(event('small', 1000));
    expect(await takeAll(queue, 1)).toEqual(['small']);
  });
});
