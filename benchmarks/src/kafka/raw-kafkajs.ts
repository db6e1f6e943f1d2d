import type { Consumer as KafkajsConsumer } from 'kafkajs';
import type { BenchTopic } from './bench-topic.ts';
import { CommittedOffsets } from './committed-offsets.ts';
import { type Consumer, type Contender, groupOf, messageOf, type OpenConsumer, readValue } from './contender.ts';
import { Gate } from './gate.ts';

/** With its defaults, but for what it logs. */
async function openClient({ brokers }: BenchTopic) {
  const { Kafka, logLevel } = await import('kafkajs');
  return new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
}

async function openMember(bench: BenchTopic): Promise<KafkajsConsumer> {
  const consumer = (await openClient(bench)).consumer({ groupId: groupOf(bench) });
  await consumer.connect();
  await consumer.subscribe({ topics: [bench.topic], fromBeginning: true });
  return consumer;
}

/** What all of them do who have a consumer: they commit by themselves, and say when they have done it. */
function consumerOf(member: KafkajsConsumer, gate: Gate): Consumer {
  const committed = new CommittedOffsets();
  member.on(member.events.COMMIT_OFFSETS, ({ payload }) => {
    for (const { partitions } of payload.topics) {
      for (const { partition, offset } of partitions) committed.set(Number(partition), Number(offset));
    }
  });
  let sum = 0;
  return {
    run: (count) => gate.during(() => committed.reach((sum += count))),
  };
}

/** kafkajs and nothing else. */
export const rawKafkajs: Contender = {
  name: 'kafkajs',
  async openProducer(bench) {
    const { Partitioners } = await import('kafkajs');
    const client = await openClient(bench);
    const { topic } = bench;
    const createPartitioner = Partitioners.DefaultPartitioner;
    const producer = client.producer({ createPartitioner, allowAutoTopicCreation: false });
    await producer.connect();
    return {
      push: (notification) => producer.send({ topic, messages: [messageOf(notification)] }),
      pushMany: (notifications) =>
        producer.sendBatch({ topicMessages: [{ topic, messages: notifications.map(messageOf) }] }),
    };
  },
  async listen(bench, receive) {
    const member = await openMember(bench);
    await member.run({ eachMessage: async ({ message }) => receive(readValue(message.value)) });
    return { close: () => member.disconnect() };
  },
};

/** Is handed what was fetched of a partition at once. */
export const eachBatch: OpenConsumer = async (bench, receive) => {
  const member = await openMember(bench);
  const gate = new Gate();
  const consumer = consumerOf(member, gate);
  await member.run({
    async eachBatch({ batch }) {
      await gate.pass();
      for (const { value } of batch.messages) receive(readValue(value));
    },
  });
  return consumer;
};

/** Is handed one message after the other, as most use it. */
export const eachMessage: OpenConsumer = async (bench, receive) => {
  const member = await openMember(bench);
  const gate = new Gate();
  const consumer = consumerOf(member, gate);
  await member.run({
    async eachMessage({ message }) {
      if (!gate.isOpen) await gate.pass();
      receive(readValue(message.value));
    },
  });
  return consumer;
};
