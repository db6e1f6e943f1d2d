import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Budget } from '../harness/budget.ts';
import type { Case, Readings } from '../harness/case.ts';
import { notificationBytes } from '../harness/notification.ts';
import { openTopic } from './bench-topic.ts';
import { limits, slowRounds } from './groups.ts';
import { readAddress } from './kafka-address.ts';

/** So many for each millisecond of a loop: some six seconds' work, most of which is done by code that is compiled. */
const recordsPerMs = 2000;

const summary =
  /^\d+ records sent, ([\d.]+) records\/sec \(.*\), [\d.]+ ms avg latency, [\d.]+ ms max latency, (\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th/m;

/** Kafka's own producer, as fast as it can, with what it has by default. */
async function perfTool({ loopMs }: Budget, address: string): Promise<Readings> {
  const { brokers, tools } = readAddress(address);
  if ('missing' in tools) throw new Error(`There are no tools of Kafka: ${tools.missing}`);
  const { topic, count } = await openTopic(address);
  const records = recordsPerMs * loopMs;
  const options = {
    topic,
    'num-records': records,
    'record-size': notificationBytes,
    throughput: -1,
    'producer-props': `bootstrap.servers=${brokers.join(',')}`,
  };
  const { stdout } = await promisify(execFile)(tools.java, [
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
    '-cp',
    tools.classPath,
    'org.apache.kafka.tools.ProducerPerformance',
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ]);
  const [, perSecond, p50, p99] = summary.exec(stdout) ?? [];
  if (p99 === undefined) throw new Error(`ProducerPerformance said ${stdout.trim().split('\n').at(-1)}`);
  const found = await count();
  if (found !== records) throw new Error(`There are ${found} messages, and ${records} were pushed`);
  return { opsPerSecond: Number(perSecond), callP50Ms: Number(p50), callP99Ms: Number(p99) };
}

export const javaCase: Case = {
  name: 'push, Java',
  group: limits,
  does: 'ProducerPerformance of Kafka 4.1.0 with its defaults (`acks=all`, `linger.ms=5`), messages of 200 bytes without a key, sent without waiting for an answer; its start is not counted, its compiler at work is.',
  maxRounds: slowRounds,
  run: perfTool,
};
