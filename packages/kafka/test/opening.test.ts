import { freePort, kafka, kafkaOffer, kafkaVersions, type TestKafka } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Edit, editedBroker } from './support/edited-broker.ts';
import { newTopic, openQueue, take } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';

const offer = await kafkaOffer();
const isMissing = offer.missing !== undefined || !offer.ours;
const versions = (await kafkaVersions()).filter(({ missing, ours }) => missing === undefined && ours);

const [produce, fetch, listOffsets, joinGroup, apiVersions, initProducerId] = [0, 1, 2, 11, 18, 22];
/** What Kafka 2.8 said of itself, as far as it is looked at. */
const of28: Edit = {
  [produce]: { max: 9 },
  [fetch]: { max: 12 },
  [listOffsets]: { max: 6 },
  [joinGroup]: { max: 7 },
  [apiVersions]: { max: 2 },
};

describe.each(versions)('the version of the brokers, on $name', ({ version, start }) => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  const [major = 0, minor = 0] = String(version).split('.').map(Number);

  test.each(['0.10.2.0', '2.8.0', `${major}.${minor}`, `${major}.${minor}.99`])('%s is had', async (wanted) => {
    await using queue = await openQueue(server, { version: wanted });
    expect(queue.capabilities.durable).toBe('broker');
  });

  test.each([`${major}.${minor + 1}`, `${major + 1}.0.0`])('%s is not, and that is told', async (wanted) => {
    const { told, tookMs } = await refusalOf(() => openQueue(server, { version: wanted }));
    expect(told).toBe(
      `NQ_CONFIG Cannot open a Kafka queue: the brokers are of Kafka ${major}.${minor}, as far as they tell, and version says ${wanted} or newer`,
    );
    expect(tookMs).toBeLessThan(4500);
  });
});

describe.skipIf(isMissing)(`a broker that says something else of itself, on ${offer.name},`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  test.each<[string, Edit, RegExp]>([
    [
      'that it is too old',
      { [produce]: { min: 0, max: 2 } },
      /^NQ_CONFIG Cannot open a Kafka queue: the broker has Produce 0 to 2, and @nq\/kafka needs 3 to 7 of it: it is older than Kafka 0\.11, or no Kafka$/,
    ],
    [
      'that it lacks something',
      { [initProducerId]: undefined },
      /^NQ_CONFIG .*the broker has no InitProducerId, and @nq\/kafka needs 0 to 1 of it: it is older/,
    ],
    [
      'that it has done away with what kafkajs speaks',
      { [joinGroup]: { min: 6, max: 12 } },
      /^NQ_CONFIG .*the broker has JoinGroup 6 to 12, and @nq\/kafka needs 1 to 5 of it: it is too new for kafkajs 2\.2\.4/,
    ],
  ])('%s, is refused', async (_what, edit, told) => {
    await using broker = await editedBroker(server.brokers[0] as string, edit);
    const refusal = await refusalOf(() => openQueue(server, { brokers: [broker.address] }));
    expect(refusal.told).toMatch(told);
    expect(refusal.tookMs).toBeLessThan(4500);
  });

  test('as one does that tells no more than requests, is of the last release that has all of them', async () => {
    await using broker = await editedBroker(server.brokers[0] as string, of28);
    const options = { brokers: [broker.address] };
    const { told } = await refusalOf(() => openQueue(server, { ...options, version: '3.0' }));
    expect(told).toContain('the brokers are of Kafka 2.8, as far as they tell');
    await using queue = await openQueue(server, { ...options, version: '2.8.0' });
    await queue.push({ type: 'a' });
    await (await take(queue)).ack();
  });

  test('more replicas than there are brokers are refused', async () => {
    const { told } = await refusalOf(() => openQueue(server, { createTopic: { partitions: 1, replicationFactor: 2 } }));
    expect(told).toMatch(/^NQ_CONFIG .*fewer brokers than createTopic\.replicationFactor$/);
  });
});

describe.skipIf(isMissing)(`a broker that says a wrong address, on ${offer.name},`, () => {
  const topic = newTopic();
  let server: TestKafka;
  let dead: string;
  beforeAll(async () => {
    dead = `127.0.0.1:${await freePort()}`;
    server = await offer.start({ advertised: dead });
    await (await openQueue(server, { brokers: server.internalBrokers, topic })).close();
  });
  afterAll(() => server?.stop());

  test.each<[string, object]>([
    ['where the topic is there', { topic, createTopic: undefined }],
    ['where the topic is to be made', {}],
  ])('is told so, %s', async (_what, options) => {
    const { told, tookMs } = await refusalOf(() => openQueue(server, { ...options, openTimeoutMs: 5000 }));
    expect(told).toBe(
      `NQ_UNAVAILABLE Cannot open a Kafka queue: the broker at ${server.brokers[0]} says that clients reach broker 1 at ` +
        `${dead}, which cannot be reached (nothing listens at ${dead}): mend advertised.listeners of the broker`,
    );
    expect(tookMs).toBeLessThan(9000);
  });
});

describe.skipIf(isMissing)(`a broker of three that cannot be reached, on ${offer.name},`, () => {
  test('is told, and the others are used', async () => {
    await using server = await kafka({ brokers: 3 });
    const topic = newTopic();
    const createTopic = { partitions: 3, replicationFactor: 1 };
    await (await openQueue(server, { topic, createTopic })).close();
    server.links[2]?.cut();
    const warnings: string[] = [];
    const onWarning = (warning: string): void => void warnings.push(warning);
    await using queue = await openQueue(server, { topic, onWarning, brokers: server.linkedBrokers.slice(0, 1) });
    expect(queue.capabilities.deadLetter).toBe(true);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Not all of Kafka can be reached: the broker at .* says that clients reach broker 3 at .*, which cannot be reached/,
      ),
    ]);
  }, 150_000);
});
