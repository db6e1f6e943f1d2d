import { noAnswer } from './connection-failures.ts';
import type { Connection, ConnectionPool } from './internals.ts';

/**
 * The longest answer, in bytes. Kafka sends no more than it was asked for, but always a whole batch, and a batch comes to a
 * broker in a request, which is of 100 MiB at most by default (`socket.request.max.bytes`); an answer with many batches is
 * of 50 MiB (`fetch.max.bytes` of the client of Java). Who speaks something else than Kafka says more, `HTTP` a gigabyte.
 */
const longestAnswer = 256 * 1024 * 1024;

/** The bytes of the length in front of an answer, and of the number of the request that comes first in it. */
const lengthBytes = 4;
const numberBytes = 4;

/** What is used of a connection of kafkajs besides: what it has of an answer that has not come as a whole, and what reads it. */
interface ReadingConnection extends Connection {
  chunks: readonly Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  /** Who waits for an answer of SASL without a head, as before Kafka 1.0, where it may be empty. */
  readonly authHandlers: { onError(): void } | null;
  isConnected(): boolean;
  processData(bytes: Buffer): void;
}

/**
 * Has a connection be ended whose bytes are no answers of Kafka. kafkajs believes every length: one that is too short for an
 * answer throws where nobody can catch it, and ends the process. And what it has of an answer when a connection breaks it
 * takes for the begin of the first one of the next connection.
 */
export function guardFrames({ pool }: ConnectionPool): void {
  for (const connection of pool) guard(connection as ReadingConnection);
}

function guard(connection: ReadingConnection): void {
  const connect = connection.connect.bind(connection);
  const processData = connection.processData.bind(connection);
  let lengths = new Lengths();
  connection.connect = () => {
    if (!connection.isConnected()) {
      lengths = new Lengths();
      connection.chunks = [];
      connection.bytesBuffered = 0;
      connection.bytesNeeded = lengthBytes;
    }
    return connect();
  };
  connection.processData = (bytes) => {
    if (lengths.areSane(bytes, connection.authHandlers === null ? numberBytes : 0)) {
      processData(bytes);
      return;
    }
    // With an error, or kafkajs does not hear of it, and nothing rejects; who waits for SASL does not hear of errors.
    connection.socket?.destroy(new Error(noAnswer));
    connection.authHandlers?.onError();
  };
}

/** Follows the lengths in front of answers, in whatever pieces these come. */
class Lengths {
  /** What is still to come of an answer whose length is known. */
  #left = 0;
  /** What has come of a length, as a number, and how many bytes of it. */
  #length = 0;
  #known = 0;

  /** Whether each length that ends in `bytes` is that of an answer. */
  areSane(bytes: Buffer, shortest: number): boolean {
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, bytes.length - at);
        this.#left -= passed;
        at += passed;
        continue;
      }
      this.#length = (this.#length << 8) | (bytes[at++] as number);
      if (++this.#known < lengthBytes) continue;
      if (this.#length < shortest || this.#length > longestAnswer) return false;
      this.#left = this.#length;
      this.#length = 0;
      this.#known = 0;
    }
    return true;
  }
}
