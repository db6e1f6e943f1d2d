import { NqError } from '@nq/core';
import { failureCodes, KafkaFailure } from './kafka-failure.ts';

/** `failure` as callers see it. */
export function kafkaError(verb: string, failure: KafkaFailure): NqError {
  return new NqError(failureCodes[failure.kind], `Cannot ${verb}: ${failure.meaning}`, { cause: failure });
}

/** What `work` resolves. @throws {NqError} in place of a {@link KafkaFailure}, with what it means. */
export async function told<Result>(verb: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof KafkaFailure ? kafkaError(verb, error) : error;
  }
}
