import { createQueue, type MessageQueue, systemClock } from '@nq/core';
import { callUncaught } from '@nq/core/parts';
import { loadCodec } from './codecs/load-codec.ts';
import { capabilitiesOf } from './kafka-capabilities.ts';
import { howToMake, openError } from './kafka-error.ts';
import { type KafkaQueueOptions, resolveOptions } from './kafka-options.ts';
import { KafkaQueueDriver } from './kafka-queue-driver.ts';
import { openDriver } from './open-driver.ts';
import { type PreparedTopics, prepareTopics } from './prepare-topics.ts';

/**
 * Opens a queue on a topic of Kafka: connects, makes sure that the topic is there, and that its brokers can be reached at
 * the addresses that they say they have. Whether the user may do everything that the queue is used for shows when it does:
 * `aclRules()` gives what it needs.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if there is no such
 * topic, the brokers are too old, or they refuse us; `NQ_NOT_INSTALLED` if the codec of `compression` is not here;
 * `NQ_UNAVAILABLE` if none answers within `openTimeoutMs`. Nothing is open then.
 */
export async function kafkaQueue<Data = unknown>(options: KafkaQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const clock = systemClock;
  const open = async (): Promise<Awaited<ReturnType<typeof openDriver<PreparedTopics>>>> => {
    await loadCodec(resolved.compression);
    return openDriver(resolved, clock, (opened) => prepareTopics(opened, resolved));
  };
  const { driver, prepared } = await open().catch((error: unknown) => {
    const { topic, server } = resolved;
    throw openError('Cannot open a Kafka queue', topic, error, howToMake(topic, server));
  });
  const capabilities = capabilitiesOf(resolved, { deadLetters: prepared.hasDeadLetters });
  // While it is open, nobody is there to whom a warning could be thrown.
  const telling = { ...resolved, onWarning: (warning: string) => callUncaught(() => resolved.onWarning(warning)) };
  return createQueue<Data, never>(
    new KafkaQueueDriver({ options: telling, capabilities, driver, topics: prepared, clock }) as never,
  );
}
