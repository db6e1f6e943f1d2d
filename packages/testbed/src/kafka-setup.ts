import { kafkaCertificate, type ResolvedKafkaSecurity, securityLines, userArguments } from './kafka-security.ts';

/** The ports of one broker. Each listener has its own, so that each can have its own security. */
export interface KafkaPorts {
  /** Of clients that connect directly. */
  readonly client: number;
  /** Of clients that come through the link. */
  readonly linked: number;
  /** Of the other brokers, and of the testbed itself: always without security. */
  readonly internal: number;
  readonly controller: number;
}

/** What tests ask of a broker. */
export interface KafkaSetup {
  /** From 1. */
  readonly id: number;
  readonly ports: KafkaPorts;
  /** The port of the link, which the broker tells to clients that come through it. */
  readonly linkPort: number;
  /** The controllers' ports of all brokers, by id from 1. */
  readonly controllers: readonly number[];
  /** The same for all brokers of a cluster: see {@link newClusterId}. */
  readonly clusterId: string;
  readonly security: ResolvedKafkaSecurity;
  /** Where the broker tells clients that connect directly to come back, as `host:port`. @default where it is */
  readonly advertised: string | undefined;
  /** Lines of server.properties. */
  readonly config: readonly string[];
  /** Options of the Java machine. */
  readonly javaOptions: readonly string[];
}

/** The name of the file that the broker reads. */
const kafkaConfig = 'server.properties';

/** Where it keeps what it stores, within its folder. */
const data = 'kafka-data';

/** On which address a broker listens, and at which host clients reach it. */
interface Listening {
  readonly bind: string;
  readonly host: string;
}

/** The files that a broker finds in its folder, by name. */
export function kafkaFiles(setup: KafkaSetup, listening: Listening): Readonly<Record<string, string>> {
  const { certificate } = setup.security;
  return {
    [kafkaConfig]: kafkaProperties(setup, listening),
    ...(certificate === undefined ? {} : { [kafkaCertificate]: certificate.key + certificate.certificate }),
  };
}

/** Writes down what a broker is to be. The lines of `config` come last, so that they win. */
function kafkaProperties(setup: KafkaSetup, { bind, host }: Listening): string {
  const { id, ports, linkPort, controllers, security, advertised, config } = setup;
  const copies = Math.min(3, controllers.length);
  const lines = [
    'process.roles=broker,controller',
    `node.id=${id}`,
    `controller.quorum.voters=${controllers.map((port, i) => `${i + 1}@127.0.0.1:${port}`).join(',')}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=INTERNAL',
    `listeners=CLIENT://${bind}:${ports.client},LINKED://${bind}:${ports.linked},INTERNAL://${bind}:${ports.internal},CONTROLLER://127.0.0.1:${ports.controller}`,
    `advertised.listeners=CLIENT://${advertised ?? `${host}:${ports.client}`},LINKED://127.0.0.1:${linkPort},INTERNAL://${host}:${ports.internal}`,
    ...securityLines(security),
    `log.dirs=${data}`,
    `default.replication.factor=${copies}`,
    `offsets.topic.replication.factor=${copies}`,
    `transaction.state.log.replication.factor=${copies}`,
    `transaction.state.log.min.isr=${Math.min(2, copies)}`,
    'offsets.topic.num.partitions=4',
    'transaction.state.log.num.partitions=4',
    // Nobody waits for consumers that do not come.
    'group.initial.rebalance.delay.ms=0',
    // A broker that was killed is noticed in 4 s instead of 9.
    'broker.heartbeat.interval.ms=500',
    'broker.session.timeout.ms=4000',
    ...config,
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * The command that runs a broker in its folder; the first time it prepares the folder. The shell becomes the broker, so
 * that signals reach that.
 */
export function kafkaCommand(
  { clusterId, security, javaOptions }: KafkaSetup,
  { java, jars, heap }: { readonly java: string; readonly jars: string; readonly heap: string },
): readonly [string, ...string[]] {
  const format = `"$0" -XX:TieredStopAtLevel=1 -cp "$1" kafka.tools.StorageTool format -t ${clusterId} -c ${kafkaConfig}${userArguments(security)}`;
  const prepare = `{ test -f ${data}/meta.properties || ${format} >/dev/null; }`;
  const run = `jars=$1 && shift && exec "$0" "$@" -cp "$jars" kafka.Kafka ${kafkaConfig}`;
  const logs = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  return ['sh', '-c', `${prepare} && ${run}`, java, `${jars}/*`, `-Xmx${heap}`, logs, ...javaOptions];
}

/** A name for a cluster: 16 random bytes, as Kafka writes them. */
export function newClusterId(): string {
  // Not one that could be taken for an option of a command.
  return `n${Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
    .toString('base64url')
    .slice(1, 22)}`;
}
