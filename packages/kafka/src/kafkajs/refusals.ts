import type { Connection, ConnectionPool } from './internals.ts';

/** What a request is about, for who reads that it was refused. */
export interface Subject {
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
}

/** What a broker refuses, by the type of its error. */
const refused: ReadonlyMap<string, 'topic' | 'group' | 'cluster'> = new Map([
  ['TOPIC_AUTHORIZATION_FAILED', 'topic'],
  ['GROUP_AUTHORIZATION_FAILED', 'group'],
  ['CLUSTER_AUTHORIZATION_FAILED', 'cluster'],
]);

/** The operation that a request needs on each of these (Kafka, "Protocols and resources"). */
const operations: Readonly<Record<string, { readonly topic?: string; readonly group?: string }>> = {
  Metadata: { topic: 'Describe' },
  ListOffsets: { topic: 'Describe' },
  Produce: { topic: 'Write' },
  Fetch: { topic: 'Read' },
  CreateTopics: { topic: 'Create' },
  GroupCoordinator: { group: 'Describe' },
  OffsetFetch: { topic: 'Describe', group: 'Describe' },
  OffsetCommit: { topic: 'Read', group: 'Read' },
  JoinGroup: { group: 'Read' },
  SyncGroup: { group: 'Read' },
  Heartbeat: { group: 'Read' },
  LeaveGroup: { group: 'Read' },
};

/** The number of `TOPIC_AUTHORIZATION_FAILED`. */
const topicCode = 29;

/** What was asked when an error came, and what more the answer says. */
interface Note {
  readonly api: string;
  readonly topic: string | undefined;
  readonly mechanisms: readonly string[] | undefined;
}

const notes = new WeakMap<object, Note>();

/** What a broker has said of a topic. */
export interface KnownTopic {
  readonly topic: string;
  /** What is wrong with it, by its number in the protocol: for all that were asked about, as kafkajs takes it. */
  topicErrorCode: number;
  /** The same for itself, and for no other. */
  ownErrorCode?: number;
  readonly partitionMetadata: readonly { partitionErrorCode: number; readonly leader: number }[];
}

interface Answer {
  readonly topicMetadata?: readonly KnownTopic[];
  readonly enabledMechanisms?: readonly string[];
}

/** The requests of whose answers more is to be known than the error that kafkajs makes of them. */
const noted: ReadonlySet<string> = new Set(['Metadata', 'SaslHandshake']);

/** Has it be remembered which request an error is the answer to: kafkajs says only that it was refused. */
export function noteRefusals({ pool }: ConnectionPool): void {
  for (const connection of pool) note(connection);
}

function note(connection: Connection): void {
  const send = connection.send.bind(connection);
  connection.send = async (message) => {
    const { request, response } = message;
    let answer: Answer | undefined;
    const decode = async (bytes: unknown): Promise<unknown> => {
      answer = (await response.decode(bytes)) as Answer;
      forgiveLeaderless(answer);
      setErrorsAside(answer);
      return answer;
    };
    try {
      return await send(noted.has(request.apiName) ? { ...message, response: { ...response, decode } } : message);
    } catch (error) {
      if (typeof error === 'object' && error !== null) {
        const topic = answer?.topicMetadata?.find(({ topicErrorCode }) => topicErrorCode === topicCode)?.topic;
        notes.set(error, { api: request.apiName, topic, mechanisms: answer?.enabledMechanisms });
      }
      throw error;
    }
  };
}

/** Has it be remembered that `error`, which was set aside, is what a broker has said of `topic`. @returns it. */
export function refusalOf(topic: string, error: object): object {
  notes.set(error, { api: 'Metadata', topic, mechanisms: undefined });
  return error;
}

/** What the user lacks, for people, if `error` says that there is something; `about` is what was asked for. */
export function lackOf(error: object, about: Subject): string | undefined {
  const { type, topic: created } = error as { readonly type?: unknown; readonly topic?: unknown };
  const what = refused.get(String(type));
  if (what === undefined) return undefined;
  const hint = 'aclRules() of @nq/kafka has all that it needs';
  // It is asked for a producer: who may write somewhere may have one, from Kafka 2.8 on (KIP-679).
  if (what === 'cluster') return `the user lacks Write on any topic, or IdempotentWrite on the cluster: ${hint}`;
  const { api, topic } = notes.get(error) ?? {};
  const operation = operations[typeof created === 'string' ? 'CreateTopics' : (api ?? '')]?.[what] ?? 'a permission';
  const name = what === 'group' ? about.group : typeof created === 'string' ? created : (topic ?? about.topic);
  return `the user lacks ${operation} on ${what}${name === undefined ? '' : ` ${JSON.stringify(name)}`}: ${hint}`;
}

/** The mechanisms of SASL that the broker takes, if `error` says that ours is none of them. */
export function mechanismsOf(error: object): readonly string[] {
  return notes.get(error)?.mechanisms ?? [];
}

/**
 * Takes back that a partition without a leader is an error: kafkajs would know nothing of the whole topic, and of no topic that
 * was asked for with it. Who needs that partition finds that its leader is none.
 */
function forgiveLeaderless({ topicMetadata = [] }: Answer): void {
  for (const partition of topicMetadata.flatMap(({ partitionMetadata }) => partitionMetadata)) {
    if (partition.leader === noLeader) partition.partitionErrorCode = 0;
  }
}

const noLeader = -1;

/**
 * Sets aside what is wrong with one of several topics that were asked about together, such as one that was deleted: kafkajs
 * would know nothing of the others. Who asks for that one is told (`tellTopicsApart`).
 */
function setErrorsAside({ topicMetadata = [] }: Answer): void {
  if (topicMetadata.length < 2) return;
  for (const topic of topicMetadata.filter(({ topicErrorCode }) => topicErrorCode !== 0)) {
    topic.ownErrorCode = topic.topicErrorCode;
    topic.topicErrorCode = 0;
  }
}
