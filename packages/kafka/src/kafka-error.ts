import { NqError } from '@nq/core';
import { failureCodes, KafkaFailure } from './kafka-failure.ts';
import { defaultBroker, type ServerOptions } from './kafka-options.ts';

/** `failure` as callers see it. */
export function kafkaError(verb: string, failure: KafkaFailure): NqError {
  return new NqError(failureCodes[failure.kind], `Cannot ${verb}: ${failure.meaning}`, { cause: failure });
}

/**
 * Why nothing could be opened, as callers see it.
 *
 * @param action begins the message. @param remedy what is to be done where the topic is missing.
 */
export function openError(action: string, topic: string, error: unknown, remedy?: string): unknown {
  if (!(error instanceof KafkaFailure)) return error;
  const { kind, meaning } = error;
  if (kind === 'missing') return missingTopic(action, topic, error, remedy);
  // Nothing was asked for that could have been done.
  const code = kind === 'unsure' ? 'NQ_UNAVAILABLE' : failureCodes[kind];
  return new NqError(code, `${action}: ${meaning}`, { cause: error });
}

/** That nothing can be opened without this topic. @param remedy what is to be done, if that is known. */
export function missingTopic(action: string, topic: string, cause: KafkaFailure, remedy?: string): NqError {
  const end = remedy === undefined ? '' : `; ${remedy}`;
  return new NqError('NQ_CONFIG', `${action}: there is no topic ${JSON.stringify(topic)}${end}`, { cause });
}

/** How a topic is made that a queue needs. @param config what else the topic needs, as options of the command. */
export function howToMake(topic: string, { brokers, client, tls, sasl }: ServerOptions, config = ''): string {
  const broker = brokers?.[0] ?? (client === undefined ? defaultBroker : 'host:port');
  const isSecured = sasl !== undefined || (tls !== undefined && tls !== false);
  const access = isSecured ? ' --command-config client.properties' : '';
  const wanted = `--topic ${JSON.stringify(topic)} --partitions 12${config === '' ? '' : ` ${config}`}`;
  const command = `kafka-topics.sh --bootstrap-server ${broker}${access} --create ${wanted}`;
  const login = isSecured ? ', where client.properties says how to connect' : '';
  return `make it with ${command}${login}, or open the queue with createTopic`;
}
