import { NqError } from '@nq/core';
import type { KafkaDriver, NewTopic } from './kafka-driver.ts';
import { howToMake, missingTopic } from './kafka-error.ts';
import { KafkaFailure } from './kafka-failure.ts';
import type { ResolvedKafkaOptions } from './kafka-options.ts';

/** What is there when a queue is opened. */
export interface PreparedTopics {
  readonly partitions: number;
  /** Of the retry topic; 0 if there is none. */
  readonly retryPartitions: number;
  readonly hasDeadLetters: boolean;
}

/**
 * Makes sure that everything is there that a queue needs, through a driver that is connected.
 *
 * @throws {KafkaFailure} {NqError} `NQ_CONFIG` if the brokers are too old.
 */
export async function prepareTopics(driver: KafkaDriver, options: ResolvedKafkaOptions): Promise<PreparedTopics> {
  const { server, topic, deadLetterTopic, needsDeadLetters, retry, onWarning } = options;
  await checkRelease(driver, options);
  await makeTopics(driver, options);
  const partitions = await driver.partitionsOf(topic);
  const retryPartitions =
    retry === undefined
      ? 0
      : await partitionsOfOwn(
          driver,
          retry.topic,
          howToMake(retry.topic, server, '--config message.timestamp.type=LogAppendTime'),
        );
  const hasDeadLetters = needsDeadLetters
    ? (await partitionsOfOwn(driver, deadLetterTopic, howToMake(deadLetterTopic, server))) > 0
    : await isThere(driver, deadLetterTopic);
  for (const { meaning } of await driver.reachLeaders(topic)) onWarning(`Not all of Kafka can be reached: ${meaning}`);
  return { partitions, retryPartitions, hasDeadLetters };
}

/** @throws {NqError} `NQ_CONFIG` if there is no such topic. */
async function partitionsOfOwn(driver: KafkaDriver, topic: string, remedy: string): Promise<number> {
  try {
    return await driver.partitionsOf(topic);
  } catch (error) {
    if (!(error instanceof KafkaFailure) || error.kind !== 'missing') throw error;
    throw missingTopic('Cannot open a Kafka queue', topic, error, remedy);
  }
}

/** @throws {NqError} `NQ_CONFIG` if the broker is older than the configuration wants. */
async function checkRelease(driver: KafkaDriver, { version }: ResolvedKafkaOptions): Promise<void> {
  if (version === undefined) return;
  const { atLeast, mayBeNewer } = await driver.release();
  if (mayBeNewer || !isOlder(atLeast, version)) return;
  const message = `Cannot open a Kafka queue: the brokers are of Kafka ${atLeast}, as far as they tell, and version says ${version} or newer`;
  throw new NqError('NQ_CONFIG', message);
}

/** Compares `major.minor`: what follows is nothing that brokers tell. */
function isOlder(release: string, version: string): boolean {
  const [[major, minor], [wantedMajor, wantedMinor]] = [release, version].map((text) =>
    text.split('.').map(Number),
  ) as [[number, number], [number, number]];
  return major === wantedMajor ? minor < wantedMinor : major < wantedMajor;
}

/** Makes what is to be made, and not there. @throws {KafkaFailure} `away` as long as the brokers have not heard of it. */
async function makeTopics(
  driver: KafkaDriver,
  { topic, createTopic, deadLetterTopic, retry }: ResolvedKafkaOptions,
): Promise<void> {
  if (createTopic === undefined) return;
  const own = { ...createTopic, timestamps: 'producer' } as const;
  const topics = new Map<string, NewTopic>([
    [topic, own],
    [deadLetterTopic, { ...own, partitions: 1 }],
    // How long something waits there counts by one clock, whoever has written it.
    ...(retry === undefined ? [] : [[retry.topic, { ...own, timestamps: 'broker' }] as const]),
  ]);
  for (const [name, options] of topics) {
    // Who may not make it need not, where somebody else has.
    if (!(await isThere(driver, name))) await driver.createTopic(name, options);
    // The broker that made it may be the only one that knows of it.
    if ((await isThere(driver, name)) && (await isServed(driver, name))) continue;
    throw new KafkaFailure('away', `the topic ${JSON.stringify(name)} is only being made`);
  }
}

async function isThere(driver: KafkaDriver, topic: string): Promise<boolean> {
  try {
    await driver.partitionsOf(topic);
    return true;
  } catch (error) {
    if (error instanceof KafkaFailure && error.kind === 'missing') return false;
    throw error;
  }
}

/** Whether those who lead its partitions know of it: it is told of before they do. */
async function isServed(driver: KafkaDriver, topic: string): Promise<boolean> {
  try {
    await driver.ranges(topic);
    return true;
  } catch (error) {
    if (!(error instanceof KafkaFailure)) throw error;
    return error.kind !== 'missing';
  }
}
