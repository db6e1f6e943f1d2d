import type { Socket } from 'node:net';
import type { KafkaOffer, TestKafka } from 'nq-testbed';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { relay } from './relay.ts';

/** A request on its way to a broker. */
export interface Asked {
  /** What is asked for, by its number in the protocol. */
  readonly api: number;
  /** What follows the head. */
  readonly body: Buffer;
}

/** What becomes of a request: the broker never has it; it acts on it, and its answer is lost; or this is the answer, and the broker never has it. */
export type Fate = 'isLost' | 'answerIsLost' | { readonly answer: Buffer } | undefined;

/** A Kafka of one broker, to which clients come on a way on which a test says what becomes of each request. */
export interface WatchedKafka extends AsyncDisposable {
  /** Whoever connects to its `brokers` comes by that way; its other addresses lead past it. */
  readonly server: TestKafka;
  /** What becomes of a request; `undefined` if it goes its way. */
  fate: (asked: Asked) => Fate | Promise<Fate>;
}

/** Starts a Kafka that tells its clients to come by a way of ours. */
async function watchedKafka(offer: KafkaOffer): Promise<WatchedKafka> {
  const way = await relay(
    () => watched.server.brokers[0] ?? '',
    (client, broker) => pass(client, broker, (asked) => watched.fate(asked)),
  );
  const watched: WatchedKafka = {
    server: await offer.start({ advertised: way.address }),
    fate: () => undefined,
    async [Symbol.asyncDispose]() {
      await way[Symbol.asyncDispose]();
      await watched.server.stop();
    },
  };
  return watched;
}

/** One for all tests of a `describe`, each of which begins with requests that go their way. @returns it, once they run. */
export function useWatchedKafka(offer: KafkaOffer): () => WatchedKafka {
  let watched: WatchedKafka | undefined;
  beforeAll(async () => {
    watched = await watchedKafka(offer);
  });
  afterEach(() => {
    if (watched !== undefined) watched.fate = () => undefined;
  });
  afterAll(() => watched?.[Symbol.asyncDispose]());
  return () => watched as WatchedKafka;
}

/** Whether a request names `topic`, and not only one whose name begins so. */
export function names({ body }: Asked, topic: string): boolean {
  const length = Buffer.alloc(2);
  length.writeInt16BE(topic.length);
  return body.includes(Buffer.concat([length, Buffer.from(topic)]));
}

/** Passes on what both sides say, as far as it is not to be lost. */
function pass(client: Socket, broker: Socket, fateOf: WatchedKafka['fate']): void {
  const [requests, answers] = [frames(), frames()];
  const lost = new Set<number>();
  const send = async (frame: Buffer): Promise<void> => {
    const fate = await fateOf(read(frame));
    const correlation = frame.readInt32BE(8);
    if (fate === 'answerIsLost') lost.add(correlation);
    if (typeof fate === 'object') client.write(answered(correlation, fate.answer));
    else if (fate !== 'isLost') broker.write(frame);
  };
  client.on('data', (chunk) => {
    for (const frame of requests(chunk)) void send(frame);
  });
  broker.on('data', (chunk) => {
    for (const frame of answers(chunk)) if (!lost.has(frame.readInt32BE(4))) client.write(frame);
  });
}

/** Cuts what comes into whole requests or answers, each with its size in front. */
function frames(): (chunk: Buffer) => readonly Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const whole: Buffer[] = [];
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      whole.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return whole;
  };
}

/** A size, what is asked for, the version, the number of the request, the name of the client, and the rest. */
function read(frame: Buffer): Asked {
  const name = Math.max(0, frame.readInt16BE(12));
  return { api: frame.readInt16BE(4), body: frame.subarray(14 + name) };
}

function answered(correlation: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length, 0);
  head.writeInt32BE(correlation, 4);
  return Buffer.concat([head, body]);
}
