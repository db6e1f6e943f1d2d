import { type Certificate, makeCertificate } from './certificate.ts';

/** What tests ask of a Redis. */
export interface RedisSetup {
  /** Lines of redis.conf. */
  readonly config: readonly string[];
  /** Whether it speaks TLS, and nothing else; with this certificate, if it is one that others have too. */
  readonly tls: boolean | Certificate;
  /** The port, where it is not any free one. */
  readonly port?: number | undefined;
  /** Whether it is a sentinel, which watches others and keeps no data. @default false */
  readonly sentinel?: boolean | undefined;
}

/** The name of the file of {@link prepareRedis} that the server reads. */
export const redisConfig = 'redis.conf';

/** The files that a Redis finds in its folder, and what clients need to get in. */
export interface PreparedRedis {
  readonly files: Readonly<Record<string, string>>;
  readonly password: string | undefined;
  readonly tls: string | undefined;
}

/** Writes down what the server at `port` is to be. The lines of `config` come last, so that they win. */
export async function prepareRedis({
  config,
  tls,
  sentinel = false,
  bind,
  port,
}: RedisSetup & { readonly bind: string; readonly port: number }): Promise<PreparedRedis> {
  const password = passwordIn(config);
  // Without snapshots, what is kept is what the configuration says: nothing, or an append-only file.
  const lines = [`bind ${bind}`, ...(sentinel ? [] : ['save ""'])];
  if (tls === false) {
    return { files: { [redisConfig]: fileOf([...lines, `port ${port}`, ...config]) }, password, tls: undefined };
  }
  const { certificate, key } = tls === true ? await makeCertificate() : tls;
  const files = { 'tls.crt': certificate, 'tls.key': key };
  lines.push('port 0', `tls-port ${port}`, 'tls-auth-clients no', 'tls-replication yes', 'tls-cluster yes');
  lines.push('tls-cert-file tls.crt', 'tls-key-file tls.key', 'tls-ca-cert-file tls.crt');
  return { files: { ...files, [redisConfig]: fileOf([...lines, ...config]) }, password, tls: certificate };
}

function fileOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** The password that a configuration asks for. */
function passwordIn(config: readonly string[]): string | undefined {
  return config
    .map((line) => /^\s*requirepass\s+"?([^"\s]+)"?\s*$/i.exec(line)?.[1])
    .findLast((found) => found !== undefined);
}
