import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type Address,
  kafka,
  kafkaOffer,
  type KafkaOffer,
  kafkaTools,
  kafkaVersions,
  type Link,
  type TestKafka,
  type TestKafkaBroker,
  until,
} from '../src/index.ts';
import { runProgram } from '../src/find-program.ts';
import { askApiVersions, askMetadata } from '../src/kafka-wire.ts';
import { Client } from './client.ts';

const native = await kafkaOffer({ provider: 'native' });
const [docker, ...otherImages] = await kafkaVersions({ provider: 'docker' });

/** What clients ask first, and the lowest number of the answers that tells a broker that can be used. */
const apiVersions = 18;

describe.each([native, docker as KafkaOffer])('a Kafka of our own: $name', ({ name, missing, start }) => {
  test.skipIf(missing !== undefined)(
    'answers on both ways, tells each client to come back on its own, and keeps its data when it is restarted',
    async () => {
      await using server = await start();
      expect(name).toBe(`Kafka ${server.version} (${server.provider})`);
      const [broker] = server.nodes as [TestKafkaBroker];
      expect(server.brokers).toEqual([`127.0.0.1:${broker.port}`]);
      expect(server.linkedBrokers).toEqual([`127.0.0.1:${broker.link.port}`]);
      expect((await askApiVersions(broker)).get(apiVersions)?.max).toBeGreaterThanOrEqual(3);

      const place = { id: 1, host: '127.0.0.1' };
      expect((await askMetadata(broker)).brokers).toEqual([{ ...place, port: broker.port }]);
      expect((await askMetadata(broker.link)).brokers).toEqual([{ ...place, port: broker.link.port }]);
      expect(broker.link.counts).toMatchObject({ accepted: 1, droppedBytes: 0 });
      expect(broker.link.counts.bytesToClient).toBeGreaterThan(0);

      await until('a topic to be there', async () => (await askMetadata(broker, 'kept')).topics.includes('kept'));
      await broker.freeze();
      await expect(askApiVersions(broker, 200)).rejects.toThrow('no answer within 200 ms');
      await broker.thaw();
      await broker.restart();
      expect((await askMetadata(broker)).topics).toContain('kept');

      broker.link.cut();
      await expect(askApiVersions(broker.link)).rejects.toThrow('ECONNRESET');
      await server.stop();
      using late = new Client(broker);
      expect(await late.closes()).toBe('ECONNREFUSED');
    },
  );
});

describe.skipIf(native.missing !== undefined)(`a Kafka of native processes: ${native.name}`, () => {
  test('comes with its tools, which run', async () => {
    const { java, classPath } = await kafkaTools('4.1.0');
    const said = await runProgram(java, ['-cp', classPath, 'org.apache.kafka.tools.TopicCommand', '--version']);
    expect(said).toContain('4.1.0');
  });

  test('takes lines of configuration', async () => {
    await using server = await native.start({ config: ['auto.create.topics.enable=false'] });
    const [broker] = server.nodes as [TestKafkaBroker];
    await askMetadata(broker, 'none');
    expect((await askMetadata(broker)).topics).toEqual([]);
  });

  test('asks clients for TLS and a password, each way as it was told, and not the testbed', async () => {
    await using server = await native.start({
      security: { client: 'SSL', linked: 'SASL_PLAINTEXT', users: { nq: 'secret' }, acls: true },
    });
    const [broker] = server.nodes as [TestKafkaBroker];
    const socket = connectTls({ host: broker.host, port: broker.port, ca: server.ca });
    await once(socket, 'secureConnect');
    socket.destroy();
    expect((await askApiVersions(broker.link)).has(apiVersions)).toBe(true);
    await expect(askMetadata(broker.link)).rejects.toThrow(/closed|ECONNRESET/);
    expect(server.internalBrokers).toEqual([`127.0.0.1:${broker.internal.port}`]);
    expect((await askMetadata(broker.internal)).brokers).toEqual([{ id: 1, ...broker.internal }]);
    await broker.restart();
    expect((await askMetadata(broker.internal)).brokers).toHaveLength(1);
  });

  test('tells clients to come back where it was told', async () => {
    await using server = await native.start({ advertised: 'kafka.example:9092' });
    const [broker] = server.nodes as [TestKafkaBroker];
    expect((await askMetadata(broker)).brokers).toEqual([{ id: 1, host: 'kafka.example', port: 9092 }]);
  });

  test('that does not start is told with its own words', async () => {
    await expect(native.start({ config: ['process.roles=nonsense'] })).rejects.toThrow(/Kafka has ended .*nonsense/s);
  });
});

describe.skipIf(native.missing !== undefined)(`three brokers: ${native.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await kafka({ brokers: 3 });
  });
  afterAll(() => server?.stop());

  /** What a broker tells its clients of the ports of all. */
  const known = async (broker: Address) => (await askMetadata(broker)).brokers.map(({ port }) => port).toSorted();
  const portsOf = (places: readonly Address[]) => places.map(({ port }) => port).toSorted();

  test('are native processes that know each other, and send clients of links to links', async () => {
    expect(server.provider).toBe('native');
    const ports = portsOf(server.nodes);
    expect(await Promise.all(server.nodes.map(known))).toEqual([ports, ports, ports]);
    expect(await known(server.links[1] as Link)).toEqual(portsOf(server.links));
  });

  test('that are given by their addresses are not ours, and lead past every link', async () => {
    vi.stubEnv('VITEST', ''); // This is not what tests run on.
    vi.stubEnv('NQ_TESTBED', 'external');
    vi.stubEnv('NQ_TEST_KAFKA_BROKERS', `127.0.0.1:1, ${server.brokers.join(',')}`);
    const offer = await kafkaOffer();
    expect(offer).toMatchObject({ name: 'Kafka (external)', provider: 'external', ours: false });
    const external = await offer.start();
    expect(server.version).toMatch(new RegExp(`^${external.version}\\.\\d+$`));
    expect(external.brokers).toEqual(['127.0.0.1:1', ...server.brokers]);
    expect(external.nodes).toEqual([]);
    expect(() => external.linkedBrokers).toThrow('Cannot link Kafka: NQ_TEST_KAFKA_BROKERS names one that is not ours');
    await expect(offer.start({ config: ['a=b'] })).rejects.toThrow('Cannot configure Kafka');
    await external.stop();
    expect(await known(server.nodes[0] as Address)).toHaveLength(3);
  });

  test('notice when one is killed, and when it is back', async () => {
    const [one, two, three] = server.nodes as [TestKafkaBroker, TestKafkaBroker, TestKafkaBroker];
    await three.kill();
    expect(three.pid).toBeUndefined();
    await until('the others to notice', async () => (await known(one)).length === 2 && (await known(two)).length === 2);
    await three.start();
    expect(await known(three)).toEqual(portsOf(server.nodes));
  });
});

describe.each(otherImages)('a Kafka of our own: $name', ({ missing, start, version }) => {
  test.skipIf(missing !== undefined)('says what it is, and answers', async () => {
    await using server = await start();
    expect(server.version).toBe(version);
    expect((await askMetadata(server.nodes[0] as Address)).brokers).toHaveLength(1);
  });
});

afterEach(() => vi.unstubAllEnvs());

test('more than one broker are native processes, or none', async () => {
  await expect(kafka({ brokers: 3, provider: 'docker' })).rejects.toThrow('3 brokers are native processes, not docker');
  await expect(kafka({ brokers: 0 })).rejects.toThrow('Cannot start Kafka: brokers must be >= 1, got 0');
});

test.for([
  ['', 'NQ_TEST_KAFKA_BROKERS is not set'],
  ['127.0.0.1', 'NQ_TEST_KAFKA_BROKERS must be like host:9092,host:9093, got "127.0.0.1"'],
  ['127.0.0.1:1', 'NQ_TEST_KAFKA_BROKERS is of no use (Cannot ask the broker at 127.0.0.1:1: connect ECONNREFUSED'],
])('NQ_TEST_KAFKA_BROKERS=%s is told to be of no use', async ([brokers = '', why]) => {
  vi.stubEnv('NQ_TESTBED', 'external');
  vi.stubEnv('NQ_TEST_KAFKA_BROKERS', brokers);
  await expect(kafka()).rejects.toThrow(`Cannot do as NQ_TESTBED says: external: ${why}`);
});
