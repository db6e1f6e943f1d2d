import { type Certificate, makeCertificate } from './certificate.ts';

/** How a listener of a broker is talked to. */
export type KafkaProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';

/** Who gets in, and how. */
export interface KafkaSecurity {
  /** How clients talk that connect directly. @default 'PLAINTEXT' */
  readonly client?: KafkaProtocol | undefined;
  /** How clients talk that come through the link. @default as `client` */
  readonly linked?: KafkaProtocol | undefined;
  /** The passwords of users by their names, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 alike. @default nobody */
  readonly users?: Readonly<Record<string, string>> | undefined;
  /** Whether users may do what ACLs allow and nothing else. Who has no name may do everything. @default false */
  readonly acls?: boolean | undefined;
}

/** A {@link KafkaSecurity} for all brokers of a cluster. */
export interface ResolvedKafkaSecurity {
  readonly client: KafkaProtocol;
  readonly linked: KafkaProtocol;
  /** What a broker shows to clients that speak TLS; `undefined` where none do. */
  readonly certificate: Certificate | undefined;
  readonly users: Readonly<Record<string, string>>;
  readonly acls: boolean;
}

/** The name of the file with the certificate and its key. */
export const kafkaCertificate = 'tls.pem';

const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const login = 'org.apache.kafka.common.security';

/** `security` with every default filled in, and a certificate if it needs one. @throws {Error} if that cannot be made. */
export async function resolveSecurity(security: KafkaSecurity): Promise<ResolvedKafkaSecurity> {
  const { client = 'PLAINTEXT', linked = client, users = {}, acls = false } = security;
  const speaksTls = [client, linked].some((protocol) => protocol.endsWith('SSL'));
  return { client, linked, certificate: speaksTls ? await makeCertificate() : undefined, users, acls };
}

/** The lines of server.properties that say who gets in. */
export function securityLines({ client, linked, certificate, users, acls }: ResolvedKafkaSecurity): readonly string[] {
  const lines = [
    `listener.security.protocol.map=CLIENT:${client},LINKED:${linked},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
  ];
  if (certificate !== undefined) lines.push('ssl.keystore.type=PEM', `ssl.keystore.location=${kafkaCertificate}`);
  for (const [listener, protocol] of Object.entries({ client, linked })) {
    if (!protocol.startsWith('SASL')) continue;
    const known = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
    const prefix = `listener.name.${listener}`;
    lines.push(
      `${prefix}.sasl.enabled.mechanisms=${['PLAIN', ...scram].join(',')}`,
      `${prefix}.plain.sasl.jaas.config=${login}.plain.PlainLoginModule required ${known.join(' ')};`,
      ...scram.map(
        (mechanism) =>
          `${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config=${login}.scram.ScramLoginModule required;`,
      ),
    );
  }
  if (!acls) return lines;
  return [
    ...lines,
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // The brokers among themselves, and the testbed.
    'super.users=User:ANONYMOUS',
  ];
}

/** What the folder of a broker is prepared with, so that it knows its users: arguments for a shell. */
export function userArguments({ users }: ResolvedKafkaSecurity): string {
  const records = Object.entries(users).flatMap(([name, password]) =>
    scram.map((mechanism) => ` --add-scram '${mechanism}=[name=${name},password=${password}]'`),
  );
  return records.join('');
}
