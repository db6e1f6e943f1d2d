import type { FailureKind } from '../kafka-failure.ts';
import { bracketed } from './ipv6.ts';

/** What kafkajs puts into errors of connections. */
export interface ConnectionError extends Error {
  readonly code?: unknown;
  /** `host:port` of the broker. */
  readonly broker?: unknown;
}

interface ConnectionFailure {
  /** What the code is, or how the message begins, without what kafkajs puts in front. */
  readonly signs: readonly string[];
  readonly kind: FailureKind;
  readonly meaning: (broker: string, address: string) => string;
  /** Whether nothing can have been sent then. */
  readonly isUnsent?: boolean;
}

/** Begins the message of an error that says that something else came than an answer. */
export const noAnswer = 'what has come is no answer of Kafka';

/** The first that fits counts. */
const connectionFailures: readonly ConnectionFailure[] = [
  {
    // It may be a broker that is just ending.
    signs: ['Client network socket disconnected before secure TLS'],
    kind: 'away',
    meaning: (broker) => `${broker} has hung up before TLS was agreed on: it may speak none at that port`,
    isUnsent: true,
  },
  {
    signs: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    isUnsent: true,
    kind: 'refused',
    meaning: (broker) => `the certificate of ${broker} is for another name`,
  },
  {
    signs: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    isUnsent: true,
    kind: 'refused',
    meaning: (broker) => `the certificate of ${broker} is not valid now`,
  },
  {
    signs: ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT', 'UNABLE_TO_GET_ISSUER', 'UNABLE_TO_VERIFY', 'CERT_'],
    isUnsent: true,
    kind: 'refused',
    meaning: (broker) => `the certificate of ${broker} is not trusted: give who has signed it as tls.ca`,
  },
  {
    // As OpenSSL names it, before version 3 and since then, and with TLS 1.3.
    signs: [
      'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
      'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    ],
    kind: 'refused',
    meaning: (broker) => `${broker} wants a certificate that it trusts: give tls.cert and tls.key`,
  },
  {
    signs: ['ERR_TLS_', 'ERR_SSL_', 'EPROTO'],
    kind: 'refused',
    meaning: (broker) => `TLS could not be agreed on with ${broker}`,
  },
  {
    signs: ['Failed to connect'],
    kind: 'refused',
    meaning: (broker) => `no connection to ${broker} can be made with these settings, as the cause says`,
    isUnsent: true,
  },
  {
    signs: ['ECONNREFUSED'],
    kind: 'away',
    meaning: (_broker, address) => `nothing listens at ${address}`,
    isUnsent: true,
  },
  {
    signs: ['ENOTFOUND', 'EAI_AGAIN'],
    kind: 'away',
    meaning: (broker) => `the host name of ${broker} is not known`,
    isUnsent: true,
  },
  { signs: ['EHOSTUNREACH', 'ENETUNREACH'], kind: 'away', meaning: (broker) => `there is no way to ${broker}` },
  {
    signs: ['ECONNRESET', 'EPIPE', 'Closed connection', 'Connection closed by the server'],
    kind: 'away',
    meaning: (broker) => `${broker} has hung up`,
  },
  { signs: [noAnswer], kind: 'away', meaning: (broker) => `${broker} has sent what is no answer of Kafka` },
  { signs: ['Connection timeout'], kind: 'away', meaning: (broker) => `${broker} does not answer` },
  { signs: ['Not connected'], kind: 'away', meaning: () => 'there is no connection to Kafka', isUnsent: true },
];

/**
 * What `error` says of a connection.
 *
 * @param sent whether a request may have left, so that nobody knows whether it was done.
 */
export function connectionFailureOf(error: ConnectionError, sent: boolean): readonly [FailureKind, string] {
  const { code } = error;
  const texts = [error.message.replace(/^Connection error: /, ''), typeof code === 'string' ? code : ''];
  const failure = connectionFailures.find(({ signs }) =>
    signs.some((sign) => texts.some((text) => text.startsWith(sign))),
  );
  const { kind = 'away', isUnsent = false, meaning = () => 'there is no connection to Kafka' } = failure ?? {};
  if (sent && !isUnsent) return ['unsure', 'the connection was lost; it may be done'];
  const { broker } = error;
  // What is no address may hold a password.
  if (typeof broker !== 'string' || !/^[\w.:[\]-]+:\d+$/.test(broker))
    return [kind, meaning('the broker', 'its address')];
  const address = bracketed(broker);
  return [kind, meaning(`the broker at ${address}`, address)];
}

/** Whether `error` says that a connection was there, and has ended before there was an answer of Kafka. */
export function isHangUp({ name, message, code }: ConnectionError): boolean {
  if (name === 'KafkaJSConnectionClosedError' || code === 'ECONNRESET' || code === 'EPIPE') return true;
  // Who speaks TLS says so in an alert, where something else comes, and hangs up.
  if (message.includes(noAnswer)) return true;
  return message === 'Connection closed by the server' || message.includes('before secure TLS');
}
