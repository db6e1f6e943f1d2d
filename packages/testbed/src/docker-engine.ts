import { hostname } from 'node:os';
import type * as Testcontainers from 'testcontainers';
import type { DockerAddress } from './guardian-process.ts';
import { isSameProcess, markOf } from './process-mark.ts';

/** Whose container it is: the machine, the pid and the start of the process that made it. */
export const ownerLabel = 'nq-testbed.owner';

/** How long an image may take to come, in milliseconds. */
const pullMs = 300_000;

type Client = Testcontainers.ContainerRuntimeClient;

/** A container as Testcontainers hands it out, to which more can be done than Testcontainers does. */
export type Container = ReturnType<Client['container']['getById']>;

/** A Docker engine that answers. */
export class DockerEngine {
  readonly testcontainers: typeof Testcontainers;
  readonly client: Client;

  /** The name under which clients on this machine reach what a container publishes. */
  readonly host: string;

  private constructor(testcontainers: typeof Testcontainers, client: Client, host: string) {
    this.testcontainers = testcontainers;
    this.client = client;
    this.host = host;
  }

  /** The engine that Testcontainers finds. Removes what crashed runs have left there. @throws {Error} if there is none. */
  static async find(): Promise<DockerEngine> {
    // Takes half a second, which tests without Docker need not wait.
    const testcontainers = await import('testcontainers');
    const client = await testcontainers.getContainerRuntimeClient();
    const { Name: machine } = await client.container.dockerode.info();
    const { host } = client.info.containerRuntime;
    // Where this machine is a container itself, Testcontainers takes the engine for one outside of it. One that runs
    // beside us publishes to the loopback interface, like any other.
    const isHere = host === 'localhost' || machine === hostname();
    const engine = new DockerEngine(testcontainers, client, isHere ? '127.0.0.1' : host);
    await engine.#removeStale();
    return engine;
  }

  /** The label of the containers of this process. */
  get owner(): string {
    return `${hostname()}/${markOf(process.pid)}`;
  }

  /** Where it listens; `undefined` where that takes more than plain HTTP. */
  get address(): DockerAddress | undefined {
    const { socketPath, host, port, protocol } = this.container('none').modem as Readonly<Record<string, unknown>>;
    if (typeof socketPath === 'string') return { socketPath };
    return protocol === 'http' ? { host: String(host), port: Number(port) } : undefined;
  }

  container(name: string): Container {
    return this.client.container.getById(name);
  }

  /** Pulls `image` unless it is there. @throws {Error} in one line, if it cannot be had. */
  async fetchImage(image: string): Promise<void> {
    const name = this.testcontainers.ImageName.fromString(image);
    if (await this.client.image.exists(name)) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${pullMs} ms`)), pullMs);
    });
    try {
      await Promise.race([this.client.image.pull(name), late]);
    } catch (error) {
      // Like 'Get "https://…": dial tcp: lookup …: no such host', of which the end says what is wrong.
      const why = (error as Error).message.trim().split(': ').at(-1);
      throw new Error(`${image} is not here and cannot be pulled (${why})`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    if (!(await this.client.image.exists(name))) throw new Error(`${image} was pulled in vain`);
  }

  /** A guardian that was killed itself leaves containers; no process needs those whose owner has gone. */
  async #removeStale(): Promise<void> {
    const { dockerode } = this.client.container;
    const containers = await dockerode.listContainers({ all: true, filters: { label: [ownerLabel] } });
    for (const { Id, Labels } of containers) {
      const [machine, mark] = (Labels[ownerLabel] ?? '').split('/');
      if (machine !== hostname() || isSameProcess(mark ?? '')) continue;
      // Another test process may be at it already.
      await this.container(Id)
        .remove({ force: true, v: true })
        .catch(() => {});
    }
  }
}

let current: Promise<DockerEngine> | undefined;

/** The engine, looked for once per process. @throws {Error} if there is none. */
export function dockerEngine(): Promise<DockerEngine> {
  current ??= DockerEngine.find();
  return current;
}
