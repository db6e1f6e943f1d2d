import { runFirst } from './find-program.ts';
import { type Address, Link } from './link.ts';
import type { Provider } from './provider.ts';
import { type RedisAddress, redisCommand } from './redis-command.ts';
import { productOf, type RedisProduct } from './redis-product.ts';
import type { RedisSite } from './redis-source.ts';
import type { RedisReply } from './resp.ts';
import type { Server } from './server.ts';
import { Hopeless, until } from './until.ts';

/** What is known of a Redis before it is asked. */
interface Origin {
  readonly provider: Provider;
  /** The program, the image or the variable it comes from. */
  readonly from: string;
}

/** A Redis for tests, and what can be done to it. Disposing of it is `stop()`. */
export class TestRedis implements Address, AsyncDisposable {
  readonly provider: Provider;
  /** The program, the image or the variable it comes from. */
  readonly from: string;
  readonly product: RedisProduct['product'];
  /** Its version, as the server says itself. */
  readonly version: string;
  readonly #address: RedisAddress;
  readonly #server: Server | undefined;
  readonly #links = new Set<Link>();

  private constructor({ provider, from }: Origin, { address, server }: RedisSite, { product, version }: RedisProduct) {
    this.provider = provider;
    this.from = from;
    this.#address = address;
    this.#server = server;
    this.product = product;
    this.version = version;
  }

  /**
   * The server at `site`, once it answers.
   *
   * @throws {Error} with its last lines, if it does not. A server of ours is removed then.
   */
  static async open(origin: Origin, site: RedisSite): Promise<TestRedis> {
    try {
      await untilReady(site);
      return new TestRedis(origin, site, productOf(await redisCommand(site.address, ['INFO', 'server'])));
    } catch (error) {
      await site.server?.remove();
      throw error;
    }
  }

  get host(): string {
    return this.#address.host;
  }

  get port(): number {
    return this.#address.port;
  }

  /** How clients reach it, with the password: `redis://127.0.0.1:10042`. */
  get url(): string {
    return this.urlAt(this);
  }

  /** The certificate to trust, in PEM, for a server that speaks TLS. */
  get ca(): string | undefined {
    return typeof this.#address.tls === 'string' ? this.#address.tls : undefined;
  }

  /** The pid of a native server that runs. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  /** {@link url} with another place, as that of a link. */
  urlAt({ host, port }: Address): string {
    const { username = '', password, db = 0, tls } = this.#address;
    const user = password === undefined ? '' : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`;
    return `${tls === undefined ? 'redis' : 'rediss'}://${user}${host}:${port}${db === 0 ? '' : `/${db}`}`;
  }

  /**
   * Sends one command past every link, and resolves its reply.
   *
   * @throws {Error} what the server answers, if it is an error, or that nothing came within 5 s.
   */
  command(...args: readonly (string | number | Uint8Array)[]): Promise<RedisReply> {
    return redisCommand(this.#address, args);
  }

  /**
   * Sends one command with `redis-cli` or `valkey-cli`, as an operator does: with that of its container, or the one on
   * PATH. Resolves what that prints where no terminal is; `undefined` if there is no such program. Knows no TLS.
   *
   * @throws {Error} with what it prints, if it fails.
   */
  async cli(...args: readonly (string | number)[]): Promise<string | undefined> {
    const { host, port, username = 'default', password, db = 0 } = this.#address;
    // In its container, too, it listens on the loopback interface.
    const place = ['-h', this.#server === undefined ? host : '127.0.0.1', '-p', port, '-n', db];
    const access = password === undefined ? [] : ['--no-auth-warning', '--user', username, '-a', password];
    const all = [...place, ...access, ...args].map(String);
    const programs = ['redis-cli', 'valkey-cli'];
    const printed = await (this.#server?.run(programs, all) ?? runFirst(programs, all));
    return printed?.trimEnd();
  }

  /**
   * Opens a way to it on which connections can be hurt. `stop()` closes it.
   *
   * @param from whose way it is: that of programs on this machine, or of servers such as this one, which may run in
   *   containers. @default 'programs'
   */
  async link(from: 'programs' | 'servers' = 'programs'): Promise<Link> {
    const link = await Link.open(this, from === 'servers' ? await this.#server?.hostOfMachine() : undefined);
    this.#links.add(link);
    return link;
  }

  /** Ends it in an orderly way and starts it again, with the data that its configuration keeps. Resolves once it answers. */
  async restart(): Promise<void> {
    await this.#ours('restart').end();
    await this.start();
  }

  /** Kills it with SIGKILL, which leaves it what is on its disk. Resolves once it is gone. */
  async kill(): Promise<void> {
    await this.#ours('kill').kill();
  }

  /** Starts it again after `kill()`. Resolves once it answers, so when it has loaded its data. */
  async start(): Promise<void> {
    const server = this.#ours('start');
    await server.start();
    await untilReady({ address: this.#address, server });
  }

  /** It keeps its connections and answers nothing, until `thaw()`. */
  async freeze(): Promise<void> {
    await this.#ours('freeze').freeze();
  }

  async thaw(): Promise<void> {
    await this.#ours('thaw').thaw();
  }

  /** Closes its links; kills it and removes its data, if it is ours. */
  async stop(): Promise<void> {
    for (const link of this.#links) await link.close();
    await this.#server?.remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #ours(verb: string): Server {
    if (this.#server === undefined)
      throw new Error(`Cannot ${verb} ${this.product}: ${this.from} names one that is not ours`);
    return this.#server;
  }
}

/** Waits until the server answers PING with anything but that it loads its data. */
async function untilReady({ address, server }: RedisSite): Promise<void> {
  await until('Redis to answer', async () => {
    if (server !== undefined && !(await server.isRunning())) {
      throw new Hopeless(`Redis has ended instead of answering:\n${await server.log()}`);
    }
    return (await redisCommand(address, ['PING'], 1000)) === 'PONG';
  });
}
