import { randomUUID } from 'node:crypto';
import type { WaitStrategy } from 'testcontainers';
import { type Container, type DockerEngine, ownerLabel } from './docker-engine.ts';
import { guardian } from './guardian.ts';
import type { Server } from './server.ts';

/** How a server is started in a container. */
export interface ContainerServerOptions {
  readonly image: string;
  /** The ports that clients on this machine reach, each under the same number; the first one is the server's. */
  readonly ports: readonly [number, ...number[]];
  /** The folder for its files, in which it also runs. */
  readonly folder: string;
  /** Files that it finds in its folder, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** How long it may take to end when asked to, in seconds: the same as for a process. */
const endSeconds = 30;

/** Testcontainers need not wait: whoever speaks the server's language asks it. */
const noWait: WaitStrategy = {
  waitUntilReady: async () => {},
  withStartupTimeout: () => noWait,
  isStartupTimeoutSet: () => false,
  getStartupTimeout: () => 0,
};

/** A server in a container, whose ports stay the same when it is started again; removed by the guardian if need be. */
export class ContainerServer implements Server {
  readonly pid = undefined;
  readonly host: string;
  readonly port: number;
  readonly #engine: DockerEngine;
  readonly #name: string;
  #isRemoved = false;

  private constructor(engine: DockerEngine, name: string, port: number) {
    this.#engine = engine;
    this.#name = name;
    this.host = engine.host;
    this.port = port;
  }

  /** @throws {Error} with its last lines, if it ends at once. */
  static async start(engine: DockerEngine, options: ContainerServerOptions): Promise<ContainerServer> {
    const { image, ports, folder, files, command } = options;
    const name = `nq-testbed-${randomUUID()}`;
    const server = new ContainerServer(engine, name, ports[0]);
    const { address } = engine;
    // Before it exists, so that it never exists unwatched.
    if (address !== undefined) await (await guardian()).ask({ do: 'watch-container', name, docker: address });
    const { GenericContainer } = engine.testcontainers;
    class LoopbackContainer extends GenericContainer {
      /** Testcontainers would publish on every address of the machine. */
      onLoopback(): this {
        if (server.host !== '127.0.0.1') return this;
        const bindings: [string, unknown][] = ports.map((port) => [
          `${port}/tcp`,
          [{ HostIp: server.host, HostPort: String(port) }],
        ]);
        this.hostConfig.PortBindings = Object.fromEntries(bindings);
        return this;
      }
    }
    const container = new LoopbackContainer(image)
      .withName(name)
      .withLabels({ [ownerLabel]: engine.owner })
      // Its reaper is one more image, and the guardian does its work.
      .withAutoCleanup(false)
      .withExposedPorts(...ports.map((port) => ({ container: port, host: port })))
      .onLoopback()
      .withWorkingDir(folder)
      .withCopyContentToContainer(
        Object.entries(files).map(([file, content]) => ({ content, target: `${folder}/${file}`, mode: 0o644 })),
      )
      .withCommand([...command])
      .withWaitStrategy(noWait);
    try {
      await container.start();
    } catch (error) {
      const log = await server.log();
      await server.remove();
      throw new Error(`Cannot start ${image}: ${(error as Error).message}\n${log}`, { cause: error });
    }
    return server;
  }

  async isRunning(): Promise<boolean> {
    return (await this.#container().inspect()).State.Running;
  }

  async start(): Promise<void> {
    if (!(await this.isRunning())) await this.#container().start();
  }

  async end(): Promise<void> {
    if (!(await this.isRunning())) return;
    // The engine thaws one that is frozen, so that the signal reaches it; also when it kills one.
    await this.#container().stop({ t: endSeconds });
  }

  async kill(): Promise<void> {
    if (!(await this.isRunning())) return;
    const gone = this.#container().wait();
    await this.#container().kill({ signal: 'SIGKILL' });
    await gone;
  }

  async freeze(): Promise<void> {
    await this.#container().pause();
  }

  async thaw(): Promise<void> {
    if ((await this.#container().inspect()).State.Paused) await this.#container().unpause();
  }

  async hostOfMachine(): Promise<string> {
    const { Networks } = (await this.#container().inspect()).NetworkSettings;
    const gateway = Object.values(Networks)[0]?.Gateway;
    if (gateway === undefined || gateway === '')
      throw new Error(`${this.#name} has no network that leads to this machine`);
    return gateway;
  }

  async run(programs: readonly string[], args: readonly string[]): Promise<string | undefined> {
    const found = await this.#execute(['sh', '-c', programs.map((program) => `command -v ${program}`).join(' || ')]);
    if (found.code !== 0) return undefined;
    const { code, printed } = await this.#execute([found.printed, ...args]);
    if (code !== 0) throw new Error(`${found.printed} has ended with exit code ${code}: ${printed}`);
    return printed;
  }

  async #execute(command: readonly string[]): Promise<{ readonly code: number | null; readonly printed: string }> {
    const options = { Cmd: [...command], AttachStdout: true, AttachStderr: true };
    const running = await this.#container().exec(options);
    const chunks: Buffer[] = [];
    for await (const chunk of await running.start({})) chunks.push(chunk as Buffer);
    return { code: (await running.inspect()).ExitCode, printed: withoutFrames(Buffer.concat(chunks)) };
  }

  async remove(): Promise<void> {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    try {
      await this.#container().remove({ force: true, v: true });
    } catch (error) {
      // 404: it was never made.
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
    await (await guardian()).ask({ do: 'forget-container', name: this.#name });
  }

  async log(): Promise<string> {
    try {
      const bytes = await this.#container().logs({ stdout: true, stderr: true, tail: 20 });
      return withoutFrames(bytes);
    } catch {
      return '';
    }
  }

  #container(): Container {
    return this.#engine.container(this.#name);
  }
}

/** The text of a log, which the engine sends in frames: stream, three zeros, and the length as 32 bits. */
function withoutFrames(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= bytes.length;) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    text += bytes.toString('utf8', at + 8, end);
    at = end;
  }
  return text.trimEnd();
}
