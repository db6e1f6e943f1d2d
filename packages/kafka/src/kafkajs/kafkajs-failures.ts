import { type FailureKind, KafkaFailure } from '../kafka-failure.ts';
import { type ConnectionError, connectionFailureOf } from './connection-failures.ts';
import { lackOf, mechanismsOf, type Subject } from './refusals.ts';

const wrongUser = 'the broker does not accept the user or the password';

/** What errors of the protocol mean. What is not here is `other`. */
const protocolFailures: readonly (readonly [FailureKind, string, readonly string[]])[] = [
  [
    'away',
    'no broker leads the partition, or can do this, at the moment',
    [
      'LEADER_NOT_AVAILABLE',
      'NOT_LEADER_FOR_PARTITION',
      'BROKER_NOT_AVAILABLE',
      'REPLICA_NOT_AVAILABLE',
      'GROUP_LOAD_IN_PROGRESS',
      'GROUP_COORDINATOR_NOT_AVAILABLE',
      'NOT_COORDINATOR_FOR_GROUP',
      'NOT_CONTROLLER',
      'FENCED_LEADER_EPOCH',
      'UNKNOWN_LEADER_EPOCH',
      'KAFKA_STORAGE_ERROR',
      'OFFSET_NOT_AVAILABLE',
      'PREFERRED_LEADER_NOT_AVAILABLE',
      'UNSTABLE_OFFSET_COMMIT',
    ],
  ],
  ['away', 'too few replicas are in sync', ['NOT_ENOUGH_REPLICAS']],
  [
    'unsure',
    'the broker has not finished in time; it may be done',
    ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'NETWORK_EXCEPTION'],
  ],
  [
    'identity',
    'the brokers have forgotten the producer',
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING'],
  ],
  [
    'tooLarge',
    'it is larger than the broker takes: message.max.bytes of the broker, or max.message.bytes of the topic, says how much that is',
    ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'],
  ],
  [
    'tooLarge',
    'it is larger than the broker takes: offset.metadata.max.bytes of the broker says how much that is',
    ['OFFSET_METADATA_TOO_LARGE', 'INVALID_COMMIT_OFFSET_SIZE'],
  ],
  ['moved', 'the group deals out its partitions anew', ['REBALANCE_IN_PROGRESS']],
  [
    'fenced',
    'the membership in the group has ended',
    ['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'MEMBER_ID_REQUIRED'],
  ],
  ['outOfRange', 'there is no such offset', ['OFFSET_OUT_OF_RANGE']],
  ['missing', 'there is no such topic', ['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']],
  ['refused', 'the user may not do this', ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'SECURITY_DISABLED']],
  ['refused', wrongUser, ['SASL_AUTHENTICATION_FAILED']],
  ['refused', 'the broker asks for no user at that port: open the queue without sasl', ['ILLEGAL_SASL_STATE']],
  [
    'refused',
    'the group has members that are not of nq, and deal out partitions otherwise: give the queue a group of its own',
    ['INCONSISTENT_GROUP_PROTOCOL'],
  ],
  ['refused', 'there are fewer brokers than createTopic.replicationFactor', ['INVALID_REPLICATION_FACTOR']],
  [
    'refused',
    'sessionTimeoutMs is out of the bounds of the broker, which are its group.min.session.timeout.ms and group.max.session.timeout.ms',
    ['INVALID_SESSION_TIMEOUT'],
  ],
  [
    'refused',
    'the broker does not allow such settings',
    [
      'INVALID_GROUP_ID',
      'INVALID_REQUIRED_ACKS',
      'GROUP_MAX_SIZE_REACHED',
      'INVALID_PARTITIONS',
      'INVALID_CONFIG',
      'POLICY_VIOLATION',
      'UNSUPPORTED_VERSION',
      'UNSUPPORTED_COMPRESSION_TYPE',
      'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    ],
  ],
];

/**
 * Answers that a broker may give after it has done what it was asked: its log has it, and it leads no more, or is no
 * coordinator any more, when the replicas should confirm it.
 */
const mayBeDone: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'NOT_LEADER_FOR_PARTITION',
  'KAFKA_STORAGE_ERROR',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

const byType: ReadonlyMap<string, readonly [FailureKind, string]> = new Map(
  protocolFailures.flatMap(([kind, meaning, types]) => types.map((type) => [type, [kind, meaning]] as const)),
);

interface KafkajsError extends ConnectionError {
  readonly type?: unknown;
  readonly cause?: unknown;
  /** Of each topic that was to be made. */
  readonly errors?: unknown;
}

/**
 * What `error`, thrown by kafkajs, means.
 *
 * @param sent whether a request may have left that changes something: then it may be done, also if it is not said so.
 * @param about what was asked for.
 */
export function failureOf(error: unknown, sent: boolean, about: Subject = {}): KafkaFailure {
  if (error instanceof KafkaFailure) {
    // An answer came, of which nobody knows what it says.
    if (sent && error.kind === 'unreadable')
      return new KafkaFailure('unsure', `${error.meaning}; it may be done`, error);
    return error;
  }
  const root = rootOf(error);
  if (sent && mayBeDone.has(String(root.type))) {
    return new KafkaFailure('unsure', 'the broker cannot say whether it is done', error);
  }
  const [kind, meaning] = byType.get(String(root.type)) ?? ofUser(root, about) ?? ofConnection(root, sent);
  return new KafkaFailure(kind, meaning, error);
}

/** What was refused to the user, or because of it. */
function ofUser(error: KafkajsError, about: Subject): readonly [FailureKind, string] | undefined {
  const lack = lackOf(error, about);
  if (lack !== undefined) return ['refused', lack];
  if (error.type === 'UNSUPPORTED_SASL_MECHANISM') {
    const mechanisms = mechanismsOf(error).join(', ');
    return ['refused', `the broker takes ${mechanisms || 'another'} as sasl.mechanism, and not this one`];
  }
  if (error.name !== 'KafkaJSSASLAuthenticationError') return undefined;
  // It says so too when the connection breaks meanwhile.
  const isBroken = /failed: (?:Closed connection|Connection|Not connected|Request .* timed out|the connections)/.test(
    error.message,
  );
  return isBroken ? ['away', 'the connection was lost before the broker has answered'] : ['refused', wrongUser];
}

/** The names of errors that say nothing but that a connection is none. */
const ofConnections: ReadonlySet<string> = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSRequestTimeoutError',
]);

function ofConnection(error: KafkajsError, sent: boolean): readonly [FailureKind, string] {
  const { name, code } = error;
  if (name === 'KafkaJSNotImplemented') return ['refused', 'the codec of the compression is not there'];
  // Node.js gives a code to what cannot be written or read, too.
  const isOfBytes = name === 'RangeError' || name === 'TypeError';
  if (!ofConnections.has(name) && (isOfBytes || typeof code !== 'string')) {
    // Of an answer that cannot be read, too, nobody knows what it says.
    return sent && error.type === undefined
      ? ['unsure', 'the answer of the broker cannot be read; it may be done']
      : ['other', 'the client has failed'];
  }
  return connectionFailureOf(error, sent);
}

/** kafkajs puts the error that counts behind those of its tries, and those of topics into one. */
export function rootOf(error: unknown): KafkajsError {
  let root: KafkajsError = error instanceof Error ? error : new Error(String(error));
  while (root.type === undefined && root.cause instanceof Error) root = root.cause;
  const [first] = Array.isArray(root.errors) ? (root.errors as readonly unknown[]) : [];
  return first instanceof Error ? first : root;
}
