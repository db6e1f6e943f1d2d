import { checkOneOf } from '@nq/core/parts';
import { type KafkaQueueOptions, resolveOptions } from './kafka-options.ts';

/** What a user is allowed: an operation on one topic, or on one group. */
export interface AclRule {
  readonly resource: 'topic' | 'group';
  /** The name of the topic or of the group: no prefix, and no pattern. */
  readonly name: string;
  /** As Kafka names it. Who may read or write may describe. */
  readonly operation: 'Read' | 'Write' | 'Describe' | 'Create';
  /** What is refused without it. */
  readonly purpose: string;
}

/** Of the options of a queue, those that say what its user needs. */
export type AclOptions = Pick<
  KafkaQueueOptions,
  'topic' | 'groupId' | 'deadLetterTopic' | 'retryTopic' | 'retryAfterMs' | 'createTopic'
>;

/**
 * What the user of a queue needs, and none more: of `use`, which is everything, or to open it and to push. Brokers before
 * Kafka 2.8 want IdempotentWrite on the cluster besides.
 *
 * @throws {TypeError} {RangeError} as `kafkaQueue`, for names that cannot be.
 */
export function aclRules(options: AclOptions, use: 'everything' | 'push' = 'everything'): readonly AclRule[] {
  const { topic, group, deadLetterTopic, retry, createTopic } = resolveOptions({ ...options });
  checkOneOf('Cannot name ACLs', 'use', use, ['everything', 'push']);
  const on = (
    resource: AclRule['resource'],
    name: string,
    operation: AclRule['operation'],
    purpose: string,
  ): AclRule => ({ resource, name, operation, purpose });
  const names = [topic, deadLetterTopic, ...(retry === undefined ? [] : [retry.topic])];
  const making = names.map((name) => on('topic', name, 'Create', 'making it, if it is not there'));
  const created = createTopic === undefined ? [] : making;
  const write = on('topic', topic, 'Write', 'pushing, and replaying dead letters');
  const opening = names.slice(1).map((name) => on('topic', name, 'Describe', 'opening'));
  if (use === 'push') return [write, ...opening, ...created];
  const retrying =
    retry === undefined
      ? []
      : [
          on('topic', retry.topic, 'Write', 'giving back for later'),
          on('topic', retry.topic, 'Read', 'popping and settling what was given back for later'),
          on('group', retry.group, 'Read', 'popping and settling what was given back for later, and the size'),
        ];
  return [
    write,
    on('topic', topic, 'Read', 'popping and settling'),
    on('group', group, 'Read', 'popping, settling, the size and rewinding'),
    on('topic', deadLetterTopic, 'Write', 'making, replaying and removing dead letters'),
    on('topic', deadLetterTopic, 'Read', 'counting, listing, replaying and removing dead letters'),
    on('group', lettersGroupOf(group), 'Read', 'replaying and removing dead letters'),
    ...retrying,
    ...created,
  ];
}

/** The group whose member may replay and remove the dead letters of `group`: it has one at a time. */
export function lettersGroupOf(group: string): string {
  return `${group}.letters`;
}
