import type { Clock } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaDriver } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
import type { ServerOptions } from './kafka-options.ts';
import { KafkajsDriver } from './kafkajs/kafkajs-driver.ts';

/** How a driver connects, and how long that may take. */
export interface DriverOptions {
  readonly server: ServerOptions;
  readonly openTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
}

/** After a failure it is tried again after so long, in milliseconds. */
const retryMs = 100;

/**
 * Connects, and does what `prepare` does; tried again as long as there is no connection, and time.
 *
 * @throws {KafkaFailure} the last failure, or what `prepare` throws. Nothing is open then.
 */
export async function openDriver<Result>(
  options: DriverOptions,
  clock: Clock,
  prepare: (driver: KafkaDriver) => Promise<Result>,
): Promise<{ readonly driver: KafkaDriver; readonly prepared: Result }> {
  const { openTimeoutMs, metadataMaxAgeMs } = options;
  const driver = new KafkajsDriver({ kafka: clientOf(options), clock, metadataMaxAgeMs });
  const deadline = clock.now() + openTimeoutMs;
  for (;;) {
    try {
      await driver.open();
      return { driver, prepared: await prepare(driver) };
    } catch (error) {
      const isPassing = error instanceof KafkaFailure && (error.kind === 'away' || error.kind === 'unsure');
      if (!isPassing || clock.now() + retryMs >= deadline) {
        await driver.close();
        throw error;
      }
    }
    await new Promise<void>((resolve) => {
      clock.schedule(resolve, retryMs);
    });
  }
}

function clientOf({ server, requestTimeoutMs }: DriverOptions): Kafka {
  const { client, brokers = ['localhost:9092'], tls, sasl } = server;
  if (client !== undefined) return client;
  return new Kafka({
    clientId: 'nq',
    brokers: [...brokers],
    connectionTimeout: 3000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, retries: 3, maxRetryTime: 1000 },
    logLevel: logLevel.NOTHING,
    ...(tls === undefined || tls === false ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as never }),
  });
}
