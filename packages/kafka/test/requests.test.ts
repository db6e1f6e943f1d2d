import { createRequire } from 'node:module';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Connection, encoded } from '../src/kafkajs/internals.ts';
import { passRequests } from '../src/kafkajs/pass-requests.ts';
import { WrittenRequest } from '../src/kafkajs/written-request.ts';
import { newTopic, openQueue, takeAll } from './support/queue.ts';
import { answerTo, connectionsTo, speaker } from './support/speaker.ts';

/** `body` with so much room in front of it, and the memory of both. */
function withRoom(body: Uint8Array, room: number): { readonly whole: Buffer; readonly request: WrittenRequest } {
  const whole = Buffer.concat([Buffer.alloc(room, 0xaa), body]);
  return { whole, request: new WrittenRequest(whole.subarray(room), room) };
}

/** Asks something, what it is does not matter. */
function ask(connection: Connection, request: unknown): Promise<unknown> {
  return connection.send({
    request: { apiKey: 18, apiVersion: 0, apiName: 'ApiVersions', encode: async () => request },
    response: { decode: async (bytes) => bytes, parse: async (bytes) => bytes },
  });
}

describe('a request that is written already', () => {
  /** The first requests of connections, each sent by one of its own. @returns what came of each. */
  async function sent(requests: readonly unknown[]): Promise<readonly string[]> {
    const came: Buffer[] = requests.map(() => Buffer.alloc(0));
    await using server = await speaker((_client, bytes, number) => {
      came[number] = Buffer.concat([came[number] as Buffer, bytes]);
    });
    for (const [number, request] of requests.entries()) {
      const connection = (await connectionsTo(server.port)).pool[0] as Connection;
      await connection.connect();
      ask(connection, request).catch(() => {});
      const isWhole = (bytes: Buffer): boolean => bytes.length >= 4 && bytes.length === 4 + bytes.readInt32BE(0);
      await until('it to be there', () => isWhole(came[number] as Buffer));
      connection.socket?.destroy(new Error('the test is over'));
    }
    return came.map((bytes) => bytes.toString('hex'));
  }

  test('goes out as any other, whatever room there is in front of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.nat(40), async (body, room) => {
        const [plain, ours] = await sent([encoded(Buffer.from(body)), withRoom(body, room).request]);
        expect(ours).toBe(plain);
      }),
      {
        numRuns: 30,
        // Around the 17 bytes of a head, and the 4 of the length in front of it.
        examples: [16, 17, 19, 20, 21].map((room): [Uint8Array, number] => [Buffer.from('body'), room]),
      },
    );
  });

  test('is sent from where it is, if there is room in front of it', async () => {
    const { whole, request } = withRoom(Buffer.from('body'), 100);
    const [bytes] = await sent([request]);
    expect(whole.toString('hex').endsWith(bytes as string)).toBe(true);
    expect(whole.subarray(0, 50)).toEqual(Buffer.alloc(50, 0xaa));
  });

  test('leaves what is in front of its room alone', () => {
    const { whole, request } = withRoom(Buffer.from('body'), 3);
    expect(request.prepend(Buffer.from('1234'))).toBe(false);
    expect(request.prepend(Buffer.from('123'))).toBe(true);
    expect(request.prepend(Buffer.from('0'))).toBe(false);
    expect(whole.toString()).toBe('123body');
  });
});

/** Of a class, for V8 may put what comes of a literal where the frequent collections do not look. */
class Kept {
  readonly number: number;
  constructor(number: number) {
    this.number = number;
  }
}

describe('the requests under way', () => {
  type Queue = Connection['requestQueue'] & { push(request: object): void };

  /** Of kafkajs itself, loaded anew: the class that all connections share is mended as soon as there is one. */
  function queueOf(options: { readonly passes: boolean }): Queue {
    const require = createRequire(import.meta.url);
    const path = require.resolve('kafkajs/src/network/requestQueue');
    const loaded = require.cache[path];
    delete require.cache[path];
    const RequestQueue = require(path) as new (options: object) => Queue;
    require.cache[path] = loaded;
    const queue = new RequestQueue({ requestTimeout: 1000, logger: { debug() {} } });
    // It looks for what waits a thousand times in a second.
    queue.scheduleCheckPendingRequests = () => {};
    if (options.passes) passRequests({ pool: [{ requestQueue: queue }] } as never);
    return queue;
  }

  /** Makes requests, of which the last 10 are under way. @returns the numbers of those that were answered. */
  function pass(queue: Queue, count: number): readonly number[] {
    const answered: number[] = [];
    for (let number = 0; number < count; number++) {
      const kept = Array.from({ length: 20 }, () => new Kept(number));
      const entry = { correlationId: number, resolve: () => answered.push(number), reject() {} };
      queue.push({ entry, expectResponse: true, sendRequest: () => kept });
      if (number >= 10) queue.fulfillRequest({ correlationId: number - 10, size: 0, payload: null });
      if (number % 200 === 0) collect({ type: 'minor' });
    }
    return answered;
  }

  test('of every connection are in another map after a while', async () => {
    await using server = await speaker((client, asked) => {
      // The number stands behind the length, the kind of request and its version.
      client.write(answerTo(asked.readInt32BE(8), Buffer.alloc(0)));
    });
    const connection = (await connectionsTo(server.port)).pool[0] as Connection;
    await connection.connect();
    const { inflight } = connection.requestQueue;
    for (let left = 100; left > 0; left--) await ask(connection, encoded(Buffer.alloc(0)));
    expect(connection.requestQueue.inflight).not.toBe(inflight);
    connection.socket?.destroy(new Error('the test is over'));
  });

  test('are found by their answers, however many have passed', () => {
    const queue = queueOf({ passes: true });
    expect(pass(queue, 500)).toEqual(Array.from({ length: 490 }, (_, number) => number));
    expect([...queue.inflight.keys()]).toEqual(Array.from({ length: 10 }, (_, at) => 490 + at));
  });

  test('are not kept when they have their answers, also if the connection is old', () => {
    const [ours, plain] = [true, false].map((passes) => {
      const queue = queueOf({ passes });
      collect();
      const before = getHeapStatistics().used_heap_size;
      pass(queue, 4000);
      collect({ type: 'minor' });
      return getHeapStatistics().used_heap_size - before;
    }) as [number, number];
    expect(ours).toBeLessThan(plain / 4);
  });
});

const offer = await kafkaOffer();

describe.skipIf(offer.missing !== undefined)(`what is pushed to ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  test.for([
    ['as it is', {}, true],
    ['compressed', { compression: 'gzip' }, true],
    ['by a client with an id of 200 characters', { clientId: 'c'.repeat(200) }, true],
    ['by a client with an id that is longer', { clientId: 'c'.repeat(300) }, false],
  ] as const)('arrives, sent %s, and whether kafkajs copied it', async ([, options, isInPlace]) => {
    const { clientId = 'nq', ...others }: { readonly clientId?: string; readonly compression?: 'gzip' } = options;
    const client = new Kafka({ clientId, brokers: [...server.brokers], logLevel: logLevel.NOTHING });
    const topic = newTopic();
    await using queue = await openQueue(server, { topic, client, brokers: undefined, ...others });
    const takeOver = vi.spyOn(WrittenRequest.prototype, 'takeOver');
    await queue.pushMany(['one', 'two'].map((type) => ({ type, key: 'key', data: 'é'.repeat(500) })));
    const tookOver = takeOver.mock.results.map(({ value }) => value as boolean);
    takeOver.mockRestore();
    expect(await takeAll(queue, 2)).toEqual(['one', 'two']);
    expect(tookOver).toEqual(isInPlace ? [true, true] : [false]);
  });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;
