import { fork } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { MessageQueue } from '@nq/core';
import type { ConformanceHarness, Namespace } from '@nq/core/conformance';
import { testConformance } from '@nq/core/conformance/vitest';
import { Kafka, logLevel } from 'kafkajs';
import { type KafkaVersion, kafkaVersions, type TestKafka, until } from 'nq-testbed';
import { describe, test } from 'vitest';
import { kafkaQueue, type KafkaQueueOptions } from '../../src/index.ts';

/** What a harness opens its queues with, besides where they are. */
type HarnessOptions = Partial<KafkaQueueOptions> & { readonly partitions?: number };

/** What a Kafka is started with, so that members that are gone are missed soon. */
const config: readonly string[] = ['group.min.session.timeout.ms=100', 'offsets.topic.num.partitions=1'];

const program = join(import.meta.dirname, 'serve.ts');
const execArgv = ['--conditions=@nq/source'];

/** What all connections of the kit are opened with. */
const common: Partial<KafkaQueueOptions> = {
  // A busy machine sends its heartbeats late.
  sessionTimeoutMs: 2000,
  // Longer than it takes until it is its turn again, where several pop in turns.
  idleMs: 1500,
  requestTimeoutMs: 1500,
  deliveryTimeoutMs: 5000,
};

/**
 * The whole kit, strictly, on one version of Kafka; a test that is skipped tells why where it is not to be had.
 *
 * @param variant what is special, in a word, if queues are opened with `options`.
 */
export async function describeOn(version: KafkaVersion, variant = '', options: HarnessOptions = {}): Promise<void> {
  const offers = (await kafkaVersions()).filter((one) => one.version === version);
  const here = offers.filter(({ missing, ours }) => missing === undefined && ours);
  const what = variant && ` with ${variant}`;
  describe.each(here)(`a queue${what} on $name`, ({ name, start }) => {
    const harness = kafkaHarness(name + what, () => start({ config }), options);
    testConformance(harness, {
      strict: true,
      reportFolder: `test-results/kafka-${version}${variant && `-${variant}`}`,
    });
  });
  const away = offers.filter((offer) => !here.includes(offer));
  test.for(away)(`a queue${what} on $name`, ({ missing }, { skip }) => skip(missing ?? 'it is not ours to configure'));
}

/** A client whose connections can all be broken for good, as those of a process that is killed. */
class MortalClient {
  readonly kafka: Kafka;
  readonly #sockets = new Set<Socket>();
  #isDead = false;

  constructor(brokers: readonly string[]) {
    this.kafka = new Kafka({
      brokers: [...brokers],
      connectionTimeout: 1000,
      requestTimeout: 1500,
      retry: { initialRetryTime: 50, retries: 2 },
      logLevel: logLevel.NOTHING,
      socketFactory: ({ host, port, onConnect }) => {
        const socket = connect({ host, port }, onConnect);
        if (this.#isDead) socket.destroy();
        this.#sockets.add(socket);
        socket.on('close', () => this.#sockets.delete(socket));
        return socket;
      },
    });
  }

  die(): void {
    this.#isDead = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Everything that the kit may do to a queue on the Kafka that `start` starts. */
function kafkaHarness(
  name: string,
  start: () => Promise<TestKafka>,
  { partitions = 4, ...options }: HarnessOptions = {},
): ConformanceHarness {
  let server: TestKafka | undefined;
  return {
    name: `@nq/kafka on ${name}`,
    // A first pop joins a group, and a busy machine takes its time for that.
    timing: { quietMs: 500, patienceMs: 10_000, reclaimMs: 10_000 },
    async start() {
      server = await start();
    },
    async stop() {
      await server?.stop();
    },
    namespace: (id) => namespaceOf(server as TestKafka, id, { ...options, partitions }),
  };
}

function namespaceOf(server: TestKafka, id: string, { partitions, ...options }: HarnessOptions): Namespace {
  const clients = new Map<MessageQueue, MortalClient>();
  const crashed: Promise<unknown>[] = [];
  return {
    async open({ group = 'default', leaseMs }) {
      const client = new MortalClient(server.linkedBrokers);
      const queue = await kafkaQueue({
        ...common,
        onWarning: () => {},
        ...options,
        ...(leaseMs === undefined ? {} : { leaseMs }),
        createTopic: { partitions: partitions ?? 4, replicationFactor: 1 },
        client: client.kafka,
        topic: id,
        groupId: group,
      });
      clients.set(queue, client);
      return queue;
    },
    crash(queue) {
      clients.get(queue)?.die();
      crashed.push(queue.close());
    },
    faults: {
      cut: () => server.links.forEach((link) => link.cut()),
      cutBeforeAnswer: () => server.links.forEach((link) => link.cutBeforeAnswer()),
      heal: () => server.links.forEach((link) => link.heal()),
      delay: (ms) => server.links.forEach((link) => link.delay(ms)),
      restart: async () => {
        for (const node of server.nodes) await node.restart();
      },
    },
    fork: () => {
      const served = { ...common, ...options, brokers: server.linkedBrokers, topic: id };
      return fork(program, [JSON.stringify(served)], { execArgv });
    },
    async injectRaw(record) {
      const producer = new MortalClient(server.brokers).kafka.producer({ createPartitioner: () => () => 0 });
      await producer.connect();
      await producer.send({ topic: id, messages: [{ value: Buffer.from(record) }] });
      await producer.disconnect();
    },
    async dispose() {
      await Promise.all(crashed);
      const admin = new MortalClient(server.brokers).kafka.admin();
      await admin.connect();
      const topics = (await admin.listTopics()).filter((topic) => topic === id || topic.startsWith(`${id}.`));
      await admin.deleteTopics({ topics });
      // What a group has committed goes with the topic, and its name may be used again only then.
      await until('the topics to be gone', async () =>
        (await admin.listTopics()).every((topic) => !topics.includes(topic)),
      );
      await admin.disconnect();
    },
  };
}
