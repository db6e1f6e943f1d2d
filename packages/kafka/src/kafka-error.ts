import { NqError } from '@nq/core';
import { failureCodes, KafkaFailure } from './kafka-failure.ts';

/** `failure` as callers see it. */
export function kafkaError(verb: string, failure: KafkaFailure): NqError {
  return new NqError(failureCodes[failure.kind], `Cannot ${verb}: ${failure.meaning}`, { cause: failure });
}

/** Why nothing could be opened, as callers see it: `action` begins the message. */
export function openError(action: string, topic: string, error: unknown): unknown {
  if (!(error instanceof KafkaFailure)) return error;
  const { kind, meaning } = error;
  // Nothing was asked for that could have been done.
  const code = kind === 'unsure' ? 'NQ_UNAVAILABLE' : failureCodes[kind];
  return kind === 'missing'
    ? missingTopic(action, topic, error)
    : new NqError(code, `${action}: ${meaning}`, { cause: error });
}

/** That nothing can be opened without this topic. @param config what the command that makes it ends with. */
export function missingTopic(action: string, topic: string, cause: KafkaFailure, config = ''): NqError {
  const name = JSON.stringify(topic);
  const how = `kafka-topics.sh --create --topic ${name} --partitions 12${config}, or open the queue with createTopic`;
  return new NqError('NQ_CONFIG', `${action}: there is no topic ${name}; make it with ${how}`, { cause });
}
