import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type FailureKind, KafkaFailure } from '../kafka-failure.ts';
import { WireReader } from '../wire-reader.ts';
import { isHangUp } from './connection-failures.ts';
import type { Cluster, Connection } from './internals.ts';
import { bracketed } from './ipv6.ts';
import { failureOf, rootOf } from './kafkajs-failures.ts';

/** The number of each request, which comes back with its answer. */
const requestNumber = 1;

/** How long each question may take, in milliseconds. */
const answerMs = 1000;

/** How long an answer may be, in bytes: which requests a broker understands takes it less than one thousand. */
const longestAnswer = 64 * 1024;

/**
 * What `error` means, with which `cluster` could not be opened. A broker that is talked to in the wrong way says nothing:
 * it hangs up, as one does that ends. So it is asked, in the ways that it may be meant, without user and password.
 */
export async function diagnose(cluster: Cluster, error: unknown): Promise<KafkaFailure> {
  const failure = failureOf(error, false);
  const connection = cluster.brokerPool.seedBroker?.connectionPool.pool[0];
  if (connection === undefined || failure.kind !== 'away' || !isHangUp(rootOf(error))) return failure;
  const found = await misunderstanding(connection);
  return found === undefined ? failure : new KafkaFailure(...found, error);
}

async function misunderstanding(connection: Connection): Promise<readonly [FailureKind, string] | undefined> {
  const { host, port, ssl, sasl } = connection;
  const place = `the broker at ${bracketed(`${host}:${port}`)}`;
  const speaksTls = ssl !== null && ssl !== undefined;
  if (speaksTls && (await answersPlainly(connection))) {
    return ['refused', `${place} speaks no TLS: open the queue without tls`];
  }
  if (!speaksTls && (await agreesOnTls(connection))) return ['refused', `${place} speaks TLS: open the queue with tls`];
  if (sasl !== null && sasl !== undefined) return undefined;
  const mechanisms = await mechanismsOf(connection);
  if (mechanisms === undefined) return undefined;
  return ['refused', `${place} wants a user, by ${mechanisms.join(', ')}: open the queue with sasl`];
}

/** What every broker answers: which requests it understands (ApiVersions, version 0). */
const apiVersions = requestOf(18, 0, Buffer.alloc(0));

async function answersPlainly(connection: Connection): Promise<boolean> {
  return (await ask(connection, undefined, [apiVersions])) !== undefined;
}

/** Says whom it lets in, if it asks for users: that it takes no mechanism of this name (SaslHandshake, version 1). */
async function mechanismsOf(connection: Connection): Promise<readonly string[] | undefined> {
  const mechanism = Buffer.from('\0\u0004none', 'latin1');
  const answer = await ask(connection, connection.ssl ?? undefined, [apiVersions, requestOf(17, 1, mechanism)]);
  if (answer === undefined) return undefined;
  try {
    const reader = new WireReader(answer);
    if (reader.int16() !== unsupportedMechanism) return undefined;
    const mechanisms: string[] = [];
    for (let left = reader.count(); left > 0; left--) mechanisms.push(reader.string());
    return mechanisms.length === 0 ? undefined : mechanisms;
  } catch {
    // Then it is no broker, and nothing is found out.
    return undefined;
  }
}

/** The number of `UNSUPPORTED_SASL_MECHANISM`. */
const unsupportedMechanism = 33;

function agreesOnTls(connection: Connection): Promise<boolean> {
  return new Promise((resolve) => {
    const onOpen = (socket: Socket): void => {
      resolve(true);
      socket.destroy();
    };
    connectTo(connection, { rejectUnauthorized: false }, { onOpen, onEnd: () => resolve(false) });
  });
}

/** Sends the requests, each when the one before has its answer. @returns the last one; `undefined` if any is missing. */
function ask(
  connection: Connection,
  ssl: object | undefined,
  requests: readonly Buffer[],
): Promise<Buffer | undefined> {
  const waiting = [...requests];
  let bytes = Buffer.alloc(0);
  return new Promise((resolve) => {
    connectTo(connection, ssl, {
      onOpen: (socket) => socket.write(waiting.shift() as Buffer),
      onData: (socket, chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        if (bytes.length < 8) return;
        const length = bytes.readInt32BE(0);
        if (length < 4 || length > longestAnswer) socket.destroy();
        if (socket.destroyed || bytes.length < 4 + length) return;
        const next = waiting.shift();
        if (next === undefined) {
          // Something else than Kafka may have said something, too.
          resolve(bytes.readInt32BE(4) === requestNumber ? bytes.subarray(8) : undefined);
          socket.destroy();
          return;
        }
        bytes = Buffer.alloc(0);
        socket.write(next);
      },
      onEnd: () => resolve(undefined),
    });
  });
}

interface ProbeListener {
  readonly onOpen: (socket: Socket) => void;
  readonly onData?: (socket: Socket, chunk: Buffer) => void;
  /** It was closed, for whatever reason. */
  readonly onEnd: () => void;
}

/** Connects as `connection` does, for {@link answerMs} at most. */
function connectTo(
  { host, port, socketFactory }: Connection,
  ssl: object | undefined,
  { onOpen, onData, onEnd }: ProbeListener,
): void {
  try {
    const onConnect = (): void => {
      // A factory of the user's may speak TLS, or none, whatever it is told: then nothing is found out.
      if (socket instanceof TLSSocket === (ssl !== undefined)) onOpen(socket);
      else socket.destroy();
    };
    const socket = socketFactory({ host, port, ssl, onConnect });
    const late = setTimeout(() => socket.destroy(), answerMs);
    socket.on('data', (chunk: Buffer) => onData?.(socket, chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      onEnd();
    });
  } catch {
    onEnd();
  }
}

/** A request of Kafka's protocol, of nobody by name. */
function requestOf(key: number, version: number, body: Buffer): Buffer {
  const header = Buffer.alloc(14);
  header.writeInt32BE(header.length - 4 + body.length, 0);
  header.writeInt16BE(key, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(requestNumber, 8);
  header.writeInt16BE(-1, 12);
  return Buffer.concat([header, body]);
}
