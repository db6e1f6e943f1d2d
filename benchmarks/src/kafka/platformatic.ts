import type { MessagesStream } from '@platformatic/kafka';
import type { BenchTopic } from './bench-topic.ts';
import { CommittedOffsets } from './committed-offsets.ts';
import { type Contender, groupOf, messageOf, type OpenConsumer, readValue } from './contender.ts';

const clientId = 'bench';
/** Acknowledged by all replicas in sync. */
const acks = -1;

type Stream = MessagesStream<string, string, string, string>;

/** With its defaults. */
async function openMember(bench: BenchTopic) {
  const { Consumer, stringDeserializers } = await import('@platformatic/kafka');
  return new Consumer({
    clientId,
    groupId: groupOf(bench),
    bootstrapBrokers: [...bench.brokers],
    deserializers: stringDeserializers,
  });
}

type Member = Awaited<ReturnType<typeof openMember>>;

/** What it has fetched is committed at once, by itself. */
const openStream = (member: Member, { topic }: BenchTopic): Promise<Stream> =>
  member.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' });

/** @platformatic/kafka and nothing else. */
export const platformatic: Contender = {
  name: '@platformatic/kafka',
  async openProducer({ brokers, topic }) {
    const { Producer, stringSerializers } = await import('@platformatic/kafka');
    const producer = new Producer({
      clientId,
      bootstrapBrokers: [...brokers],
      serializers: stringSerializers,
      acks,
    });
    return {
      push: (notification) => producer.send({ messages: [{ topic, ...messageOf(notification) }] }),
      pushMany: (notifications) =>
        producer.send({ messages: notifications.map((one) => ({ topic, ...messageOf(one) })) }),
    };
  },
  async listen(bench, receive) {
    const member = await openMember(bench);
    let stream: Stream;
    let isClosing = false;
    const open = async (): Promise<void> => {
      stream = await openStream(member, bench);
      stream.on('data', ({ value }) => receive(readValue(value)));
      // A commit that a rebalance has made invalid ends the stream.
      stream.on('error', () => {
        if (!isClosing) void open();
      });
    };
    await open();
    return {
      async close() {
        isClosing = true;
        await stream.close();
        await member.close();
      },
    };
  },
};

/** Takes messages as its stream has them. */
export const readStream: OpenConsumer = async (bench, receive) => {
  const stream = await openStream(await openMember(bench), bench);
  const committed = new CommittedOffsets();
  stream.on('autocommit', (_error, offsets) => {
    for (const { partition, offset } of offsets ?? []) committed.set(partition, Number(offset));
  });
  let handled = 0;
  let sum = 0;
  let onAll = (): void => {};
  stream.pause();
  stream.on('data', ({ value }) => {
    receive(readValue(value));
    if (++handled === sum) onAll();
  });
  return {
    async run(count) {
      sum += count;
      // Committed does not mean handled.
      const all = new Promise<void>((resolve) => {
        onAll = resolve;
      });
      stream.resume();
      await Promise.all([all, committed.reach(sum)]);
      stream.pause();
    },
  };
};
