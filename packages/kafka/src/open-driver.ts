import type { Clock } from '@nq/core';
import { within } from '@nq/core/parts';
import { Kafka, logLevel } from 'kafkajs';
import type { KafkaDriver } from './kafka-driver.ts';
import { defaultBroker, type ServerOptions } from './kafka-options.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { retry } from './kafkajs/internals.ts';
import { seedOf } from './kafkajs/ipv6.ts';
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
 * Connects, and does what `prepare` does; tried again as long as there is no connection, and time, which is bounded also
 * where a broker accepts and says nothing.
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
    let failure = new KafkaFailure('away', `Kafka has not answered within ${openTimeoutMs} ms`);
    const opening = persistently({ clock, limitMs: openTimeoutMs }, async () => {
      try {
        await driver.open();
        return { prepared: await prepare(driver) };
      } catch (error) {
        if (error instanceof KafkaFailure) failure = error;
        throw error;
      }
    });
    // What is still under way then ends with the connections.
    const opened = await within(opening, openTimeoutMs, undefined, clock);
    if (opened === undefined) throw failure;
    return { driver, prepared: opened.prepared };
  } catch (error) {
    await driver.close();
    throw error;
  }
}

function clientOf({ server, requestTimeoutMs }: DriverOptions): Kafka {
  const { client, brokers = [defaultBroker], tls, sasl } = server;
  if (client !== undefined) return client;
  return new Kafka({
    clientId: 'nq',
    brokers: brokers.map(seedOf),
    connectionTimeout: 3000,
    requestTimeout: requestTimeoutMs,
    retry,
    logLevel: logLevel.NOTHING,
    ...(tls === undefined || tls === false ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as never }),
  });
}
