import type { BrokerRelease } from '../kafka-driver.ts';
import { KafkaFailure } from '../kafka-failure.ts';
import { WireReader } from '../wire-reader.ts';
import { type Broker, encoded } from './internals.ts';

/** The versions of a request, or of a feature. */
interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * What is asked of brokers, by number and name, in the versions that kafkajs writes and that have all that is needed: batches
 * of records with headers and the numbers of producers (KIP-98), and metadata that makes no topic. Kafka 0.11 has these.
 */
const needed: readonly (readonly [api: number, name: string, ours: Range])[] = [
  [0, 'Produce', { min: 3, max: 7 }],
  [1, 'Fetch', { min: 4, max: 11 }],
  [2, 'ListOffsets', { min: 1, max: 3 }],
  [3, 'Metadata', { min: 4, max: 6 }],
  [8, 'OffsetCommit', { min: 2, max: 5 }],
  [9, 'OffsetFetch', { min: 1, max: 4 }],
  [10, 'FindCoordinator', { min: 0, max: 2 }],
  [11, 'JoinGroup', { min: 1, max: 5 }],
  [12, 'Heartbeat', { min: 0, max: 3 }],
  [13, 'LeaveGroup', { min: 0, max: 3 }],
  [14, 'SyncGroup', { min: 0, max: 3 }],
  [22, 'InitProducerId', { min: 0, max: 1 }],
];

/** @throws {KafkaFailure} `refused` if `broker`, which was connected to, lacks something that is needed. */
export function checkRequests({ versions }: Pick<Broker, 'versions'>): void {
  for (const [api, name, { min, max }] of needed) {
    const theirs = versions?.[api];
    const isOld = theirs === undefined || theirs.maxVersion < min;
    if (!isOld && theirs.minVersion <= max) continue;
    const has = theirs === undefined ? `no ${name}` : `${name} ${theirs.minVersion} to ${theirs.maxVersion}`;
    const why = isOld
      ? 'it is older than Kafka 0.11, or no Kafka'
      : 'it is too new for kafkajs 2.2.4, on which this version of @nq/kafka is built';
    throw new KafkaFailure('refused', `the broker has ${has}, and @nq/kafka needs ${min} to ${max} of it: ${why}`);
  }
}

/**
 * What was new in a release, up to those that tell more of themselves: the first version of a request. From the releases of
 * Apache Kafka, as franz-go lists them (pkg/kversion); all of it is told by brokers with ZooKeeper and without.
 */
const firstVersions: readonly (readonly [release: string, api: number, version: number])[] = [
  ['0.11', 22, 0], // InitProducerId, KIP-98
  ['1.0', 0, 5], // Produce, KAFKA-5793
  ['1.1', 1, 7], // Fetch, KIP-227
  ['2.0', 0, 6], // Produce, KIP-219
  ['2.1', 0, 7], // Produce, KIP-110
  ['2.2', 11, 4], // JoinGroup, KIP-394
  ['2.3', 1, 11], // Fetch, KIP-392
  ['2.4', 0, 8], // Produce, KIP-467
  ['2.5', 22, 3], // InitProducerId, KIP-360
  ['2.6', 32, 3], // DescribeConfigs, KIP-569
  ['2.7', 1, 12], // Fetch, KIP-595
  ['2.8', 0, 9], // Produce, KIP-482
  ['3.0', 2, 7], // ListOffsets, KIP-734
  ['3.1', 1, 13], // Fetch, KIP-516
  ['3.2', 11, 9], // JoinGroup, KIP-814
];

/**
 * The first level of metadata of each later release: `LATEST_PRODUCTION` of Kafka's MetadataVersion, which the names of its
 * levels say too, as in `IBP_4_1_IV0`.
 */
const firstLevels: readonly (readonly [release: string, level: number])[] = [
  ['3.3', 7],
  ['3.4', 8],
  ['3.5', 9],
  ['3.6', 12],
  ['3.7', 15],
  ['3.8', 20],
  ['3.9', 21],
  ['4.0', 22],
  ['4.1', 26],
  ['4.2', 28],
];

/** The release of `broker`, which was connected to, told by what it understands: brokers do not say it. */
export async function releaseOf(broker: Broker): Promise<BrokerRelease> {
  const { versions } = broker;
  // What follows are features, which brokers tell from Kafka 2.4 on.
  const level = (versions?.[apiVersions]?.maxVersion ?? 0) < 3 ? 0 : await levelOf(broker);
  const [newest] = firstLevels.at(-1) as readonly [string, number];
  const byLevel = firstLevels.findLast(([, first]) => first <= level)?.[0];
  if (byLevel !== undefined) return { atLeast: byLevel, mayBeNewer: byLevel === newest };
  const byVersion = firstVersions.findLast(([, api, version]) => (versions?.[api]?.maxVersion ?? -1) >= version);
  return { atLeast: byVersion?.[0] ?? '0.0', mayBeNewer: false };
}

const apiVersions = 18;

/** The newest metadata that the broker understands; 0 if it does not say. */
async function levelOf({ connectionPool }: Broker): Promise<number> {
  // No tags of the header, the name and the version of the client with their lengths plus one, and no tags (KIP-511).
  const body = Buffer.from([0, 3, ...Buffer.from('nq'), 2, ...Buffer.from('1'), 0]);
  const answer = await connectionPool.send({
    request: { apiKey: apiVersions, apiVersion: 3, apiName: 'ApiVersions', encode: async () => encoded(body) },
    response: { decode: async (bytes) => readFeatures(bytes as Buffer), parse: async (features) => features },
  });
  return (answer as ReadonlyMap<string, Range>).get('metadata.version')?.max ?? 0;
}

/** The features that an answer to ApiVersions, version 3, tells, by name. @throws {KafkaFailure} `unreadable` if it is none. */
function readFeatures(bytes: Buffer): ReadonlyMap<string, Range> {
  const answer = new WireReader(bytes);
  const features = new Map<string, Range>();
  if (answer.int16() !== 0) return features;
  for (let left = answer.uvarint() - 1; left > 0; left--) {
    // A request, and its versions.
    answer.slice(6);
    tagsOf(answer);
  }
  answer.int32(); // for how long it has slowed us down
  const told = tagsOf(answer).get(supportedFeatures);
  if (told === undefined) return features;
  const list = new WireReader(told);
  for (let left = list.uvarint() - 1; left > 0; left--) {
    const name = list.slice(list.uvarint() - 1).toString();
    features.set(name, { min: list.int16(), max: list.int16() });
    tagsOf(list);
  }
  return features;
}

/** The number of the tag with what a broker has, whether it is in use or not (KIP-584). */
const supportedFeatures = 0;

/** What was added to the protocol later, by number. */
function tagsOf(reader: WireReader): ReadonlyMap<number, Buffer> {
  const tags = new Map<number, Buffer>();
  for (let left = reader.uvarint(); left > 0; left--) {
    const tag = reader.uvarint();
    tags.set(tag, reader.slice(reader.uvarint()));
  }
  return tags;
}
