import { type Clock, NqError } from '@nq/core';
import { within } from '@nq/core/parts';
import type { KafkaDriver } from './kafka-driver.ts';
import { kafkaError } from './kafka-error.ts';
import { KafkaFailure } from './kafka-failure.ts';
import type { ResolvedKafkaOptions } from './kafka-options.ts';

/** What is there when a queue is opened. */
export interface OpenedKafka {
  readonly partitions: number;
  readonly hasDeadLetters: boolean;
}

const verb = 'open a Kafka queue';

/** After a failure it is tried again after so long, in milliseconds. */
const retryMs = 100;

/**
 * Connects, and makes sure that everything is there that a queue needs; tried again as long as there is no connection, and
 * time.
 *
 * @throws {NqError} `NQ_CONFIG` if no time mends it, and `NQ_UNAVAILABLE` after `openTimeoutMs`. What is under way then ends
 * when the driver is closed.
 */
export async function openKafka(
  driver: KafkaDriver,
  options: ResolvedKafkaOptions,
  clock: Clock,
): Promise<OpenedKafka> {
  const { openTimeoutMs } = options;
  const deadline = clock.now() + openTimeoutMs;
  let failure = new KafkaFailure('away', `Kafka has not answered within ${openTimeoutMs} ms`);
  while (clock.now() < deadline) {
    try {
      const opened = await within(openOnce(driver, options), deadline - clock.now(), undefined, clock);
      if (opened !== undefined) return opened;
    } catch (error) {
      if (!(error instanceof KafkaFailure)) throw error;
      if (error.kind !== 'away' && error.kind !== 'unsure') throw openError(options, error);
      failure = error;
    }
    await new Promise<void>((resolve) => {
      clock.schedule(resolve, Math.min(retryMs, Math.max(0, deadline - clock.now())));
    });
  }
  // Nothing was asked for that could have been done.
  throw new NqError('NQ_UNAVAILABLE', `Cannot ${verb}: ${failure.meaning}`, { cause: failure });
}

async function openOnce(driver: KafkaDriver, options: ResolvedKafkaOptions): Promise<OpenedKafka> {
  const { topic, deadLetterTopic, onWarning } = options;
  await driver.open();
  await checkRelease(driver, options);
  await makeTopics(driver, options);
  const partitions = await driver.partitionsOf(topic);
  const hasDeadLetters = await isThere(driver, deadLetterTopic);
  for (const { meaning } of await driver.reachLeaders(topic)) onWarning(`Not all of Kafka can be reached: ${meaning}`);
  return { partitions, hasDeadLetters };
}

/** @throws {NqError} `NQ_CONFIG` if the broker is older than the configuration wants. */
async function checkRelease(driver: KafkaDriver, { version }: ResolvedKafkaOptions): Promise<void> {
  if (version === undefined) return;
  const { atLeast, mayBeNewer } = await driver.release();
  if (mayBeNewer || !isOlder(atLeast, version)) return;
  const message = `Cannot ${verb}: the brokers are of Kafka ${atLeast}, as far as they tell, and version says ${version} or newer`;
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
  { topic, createTopic, deadLetterTopic }: ResolvedKafkaOptions,
): Promise<void> {
  if (createTopic === undefined) return;
  const topics = new Map([
    [topic, createTopic],
    [deadLetterTopic, { ...createTopic, partitions: 1 }],
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

function openError({ topic }: ResolvedKafkaOptions, failure: KafkaFailure): NqError {
  if (failure.kind !== 'missing') return kafkaError(verb, failure);
  const name = JSON.stringify(topic);
  const how = `kafka-topics.sh --create --topic ${name} --partitions 12, or open the queue with createTopic`;
  return new NqError('NQ_CONFIG', `Cannot ${verb}: there is no topic ${name}; make it with ${how}`, { cause: failure });
}
