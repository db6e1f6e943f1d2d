import type { Certificate } from './certificate.ts';
import { freePort } from './free-port.ts';
import { type KafkaPorts, newClusterId } from './kafka-setup.ts';
import { type KafkaSecurity, resolveSecurity } from './kafka-security.ts';
import type { KafkaSource } from './kafka-source.ts';
import { askRelease } from './kafka-wire.ts';
import { type Address, Link } from './link.ts';
import type { Provider } from './provider.ts';
import { TestKafkaBroker } from './test-kafka-broker.ts';

/** What tests ask of a Kafka. */
export interface TestKafkaOptions {
  /** How many brokers, each of which is a controller too. */
  readonly brokers: number;
  /** Lines of server.properties for each of them. */
  readonly config?: readonly string[] | undefined;
  readonly security?: KafkaSecurity | undefined;
  readonly advertised?: string | undefined;
  /** Options of the Java machine of each of them. */
  readonly javaOptions: readonly string[];
}

/** A Kafka for tests, and what can be done to it. Disposing of it is `stop()`. */
export class TestKafka implements AsyncDisposable {
  readonly product = 'Kafka';
  readonly provider: Provider;
  /** The jars, the image or the variable it comes from. */
  readonly from: string;
  /** Its version; only the first two numbers of it where nothing but the broker tells it. */
  readonly version: string;
  /** Where clients connect directly: `127.0.0.1:10042`, one for each broker. */
  readonly brokers: readonly string[];
  /** Each broker, from id 1; empty for brokers that are not ours. */
  readonly nodes: readonly TestKafkaBroker[];
  /** What the brokers show to clients that speak TLS, if any do; it has signed itself. */
  readonly certificate: Certificate | undefined;

  private constructor({ provider, from }: KafkaSource, version: string, { given, nodes, certificate }: Parts) {
    this.provider = provider;
    this.from = from;
    this.version = version;
    this.brokers = given.map(addressOf);
    this.nodes = nodes;
    this.certificate = certificate;
  }

  /**
   * Starts brokers, and resolves once they all know each other.
   *
   * @throws {Error} with the last lines of one that does not start, or if brokers that are not ours are to be configured.
   */
  static async start(source: KafkaSource, options: TestKafkaOptions): Promise<TestKafka> {
    const { brokers, config = [], advertised, javaOptions } = options;
    if (source.given !== undefined) {
      if (config.length > 0 || options.security !== undefined || advertised !== undefined)
        throw new Error(`Cannot configure Kafka: ${source.from} names one that is not ours`);
      const version = await versionOf(source, source.given);
      return new TestKafka(source, version, { given: source.given, nodes: [], certificate: undefined });
    }
    const security = await resolveSecurity(options.security ?? {});
    const ports = await Promise.all(Array.from({ length: brokers }, freePorts));
    const links = await Promise.all(ports.map(({ linked }) => Link.open({ host: '127.0.0.1', port: linked })));
    const controllers = ports.map(({ controller }) => controller);
    const cluster = { clusterId: newClusterId(), controllers, security, advertised, config, javaOptions };
    // All at once: each waits for a majority of the controllers.
    const starts = await Promise.allSettled(
      ports.map(async (own, i) => {
        const link = links[i] as Link;
        const server = await source.start({ ...cluster, id: i + 1, ports: own, linkPort: link.port });
        return new TestKafkaBroker(i + 1, { server, link, internal: { host: server.host, port: own.internal } });
      }),
    );
    const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    try {
      for (const start of starts) if (start.status === 'rejected') throw start.reason;
      await Promise.all(nodes.map((node) => node.untilReady(nodes.map(({ id }) => id))));
      const internals = nodes.map(({ internal }) => internal);
      const { certificate } = security;
      return new TestKafka(source, await versionOf(source, internals), { given: nodes, nodes, certificate });
    } catch (error) {
      await Promise.all([...nodes.map((node) => node.stop()), ...links.map((link) => link.close())]);
      throw error;
    }
  }

  /**
   * Where clients connect so that all they send goes through the links of `nodes`, to whichever broker.
   *
   * @throws {Error} for brokers that are not ours: these tell clients to go past every link.
   */
  get linkedBrokers(): readonly string[] {
    if (this.nodes.length === 0) throw new Error(`Cannot link Kafka: ${this.from} names one that is not ours`);
    return this.nodes.map(({ link }) => addressOf(link));
  }

  /** The certificate to trust, in PEM, if there is one. */
  get ca(): string | undefined {
    return this.certificate?.certificate;
  }

  /**
   * Where the brokers talk among themselves, without TLS and users: who connects there may do everything.
   *
   * @throws {Error} for brokers that are not ours.
   */
  get internalBrokers(): readonly string[] {
    if (this.nodes.length === 0) throw new Error(`Cannot enter Kafka: ${this.from} names one that is not ours`);
    return this.nodes.map(({ internal }) => addressOf(internal));
  }

  /** The links of all brokers: one fault on the way to Kafka is usually one on each of them. */
  get links(): readonly Link[] {
    return this.nodes.map(({ link }) => link);
  }

  /** Closes its links; kills it and removes its data, if it is ours. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** What it is made of. */
interface Parts {
  readonly given: readonly Address[];
  readonly nodes: readonly TestKafkaBroker[];
  readonly certificate: Certificate | undefined;
}

/** What the brokers are: an image, or what a variable names, may not be what it seems. */
async function versionOf({ version }: KafkaSource, brokers: readonly Address[]): Promise<string> {
  const release = await Promise.any(brokers.map((broker) => askRelease(broker)));
  if (release === undefined) return version ?? 'of an unknown version';
  return version?.startsWith(`${release}.`) === true ? version : release;
}

function addressOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

async function freePorts(): Promise<KafkaPorts> {
  const [client, linked, internal, controller] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  return { client, linked, internal, controller };
}
