import type { Clock } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaDriver } from './kafka-driver.ts';
import type { ServerOptions } from './kafka-options.ts';
import { KafkajsDriver } from './kafkajs/kafkajs-driver.ts';
import { persistently } from './persistently.ts';

/** How a driver connects, and how long that may take. */
export interface DriverOptions {
  readonly server: ServerOptions;
  readonly openTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
}

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
  try {
    const prepared = await persistently({ clock, limitMs: openTimeoutMs }, async () => {
      await driver.open();
      return prepare(driver);
    });
    return { driver, prepared };
  } catch (error) {
    await driver.close();
    throw error;
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
