import { once } from 'node:events';
import { createServer } from 'node:net';
import { kafkaOffer, type TestKafka } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';
import { relay, type Relay } from './support/relay.ts';
import { speaker } from './support/speaker.ts';

const offer = await kafkaOffer();
const isMissing = offer.missing !== undefined || !offer.ours;

/** Whether this machine has an IPv6 address at all: many a container has none. */
async function hasIpv6(): Promise<boolean> {
  const server = createServer().listen(0, '::1');
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

const here = '::1';
const isThere = await hasIpv6();

describe.skipIf(!isThere)('an IPv6 address', () => {
  test('is that of whom it is connected to, and is told as it was given', async () => {
    await using server = await speaker((client) => client.write(Buffer.alloc(4)), here);
    const brokers = [`[${here}]:${server.port}`];
    const { told } = await refusalOf(() => openQueue({ brokers } as never, { openTimeoutMs: 5000 }));
    expect(told).toBe(
      `NQ_UNAVAILABLE Cannot open a Kafka queue: the broker at ${brokers[0]} has sent what is no answer of Kafka`,
    );
  });

  test('where nobody listens is told', async () => {
    const server = await speaker(() => {}, here);
    await server[Symbol.asyncDispose]();
    const brokers = [`[${here}]:${server.port}`];
    const { told } = await refusalOf(() => openQueue({ brokers } as never, { openTimeoutMs: 5000 }));
    expect(told).toBe(`NQ_UNAVAILABLE Cannot open a Kafka queue: nothing listens at ${brokers[0]}`);
  });
});

describe.skipIf(!isThere || isMissing)(`a broker with an IPv6 address, on ${offer.name},`, () => {
  let way: Relay;
  let server: TestKafka;
  beforeAll(async () => {
    way = await relay(
      () => server.brokers[0] ?? '',
      (client, broker) => client.pipe(broker).pipe(client),
      here,
    );
    server = await offer.start({ advertised: way.address });
  });
  afterAll(async () => {
    await way?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  test('is reached there, and where it says that clients reach it', async () => {
    await using queue = await openQueue(server, { topic: newTopic(), brokers: [way.address] });
    await queue.push({ type: 'a' });
    const delivery = await take(queue);
    expect(delivery.event.type).toBe('a');
    await delivery.ack();
  });
});
