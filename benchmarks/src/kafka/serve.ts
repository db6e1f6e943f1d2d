/**
 * Runs a Kafka until standard input ends, and prints what and where it is. A program of its own, because the testbed runs
 * from its sources, on the Node of the workspace, and cases run on others too.
 *
 * @module
 */
import { once } from 'node:events';
import { kafka, kafkaTools } from 'nq-testbed';
import type { KafkaAddress } from './kafka-address.ts';

const version = '4.1.0';

await using server = await kafka({
  version,
  provider: 'native',
  // With both compilers, as it runs in production, and memory enough for what no test stores.
  javaOptions: ['-Xmx1g'],
  config: [
    'auto.create.topics.enable=false',
    // What a case has left behind is gone before the next but one.
    'log.segment.delete.delay.ms=1000',
  ],
});
const address: KafkaAddress = {
  brokers: server.brokers,
  tools: await kafkaTools(version).catch((error: Error) => ({ missing: error.message })),
};
process.stdout.write(
  `${JSON.stringify({ name: `${server.product} ${server.version}`, address: JSON.stringify(address) })}\n`,
);
process.stdin.resume();
await once(process.stdin, 'end');
