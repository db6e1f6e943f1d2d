import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import { freePort, kafkaOffer, type TestKafka } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SaslOptions } from '../src/index.ts';
import { openQueue, take, type TestOptions } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';

const offer = await kafkaOffer();
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const password = 'hunter2';
const user = (mechanism: SaslOptions['mechanism'], change: Partial<SaslOptions> = {}): TestOptions => ({
  sasl: { mechanism, username: 'nq', password, ...change },
});

describe.skipIf(offer.missing !== undefined || !offer.ours)(`with TLS and users, on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    const users = { nq: password };
    server = await offer.start({ security: { client: 'SASL_SSL', linked: 'SASL_PLAINTEXT', users } });
  });
  afterAll(() => server?.stop());

  const trusted = (): TestOptions => ({ tls: { ca: server.ca } });
  const plainly = (): TestOptions => ({ brokers: server.linkedBrokers });
  /** A client of the user. */
  const theirs = (brokers: readonly string[], ssl: object | undefined): TestOptions => {
    const sasl = { mechanism: 'scram-sha-512', username: 'nq', password } as const;
    const own = { brokers: [...brokers], sasl, logLevel: logLevel.NOTHING };
    return { brokers: undefined, client: new Kafka(ssl === undefined ? own : { ...own, ssl }) };
  };

  test.each<[string, () => TestOptions]>([
    ...mechanisms.flatMap((mechanism): [string, () => TestOptions][] => [
      [`${mechanism} and TLS`, () => ({ ...trusted(), ...user(mechanism) })],
      [`${mechanism} alone`, () => ({ ...plainly(), ...user(mechanism) })],
    ]),
    ['a client of the user with TLS', () => theirs(server.brokers, { ca: server.ca })],
    ['a client of the user without TLS', () => theirs(server.linkedBrokers, undefined)],
  ])('a queue does what it is for, with %s', async (_what, options) => {
    await using queue = await openQueue(server, options());
    await queue.pushMany(['a', 'b'].map((type) => ({ type, key: 'k' })));
    await (await take(queue)).ack();
    await (await take(queue)).nack({ deadLetter: true });
    expect(await queue.deadLetters.replay()).toBe(1);
    const again = await take(queue);
    expect(again.event.type).toBe('b');
    await again.ack();
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
  });

  test.each<[string, () => TestOptions, RegExp]>([
    ...mechanisms.flatMap((mechanism): [string, () => TestOptions, RegExp][] => {
      const told = /^NQ_CONFIG Cannot open a Kafka queue: the broker does not accept the user or the password$/;
      return [
        [
          `a wrong password, by ${mechanism}`,
          () => ({ ...plainly(), ...user(mechanism, { password: 'hunter3' }) }),
          told,
        ],
        [`an unknown user, by ${mechanism}`, () => ({ ...trusted(), ...user(mechanism, { username: 'them' }) }), told],
      ];
    }),
    [
      'a certificate that nobody has signed',
      () => ({ tls: true, ...user('plain') }),
      /^NQ_CONFIG .*certificate of the broker at 127\.0\.0\.1:\d+ is not trusted: give who has signed it as tls\.ca$/,
    ],
    [
      'a name that is not in the certificate',
      () => ({ tls: { ca: server.ca, servername: 'kafka.example' }, ...user('plain') }),
      /^NQ_CONFIG .*certificate of the broker at .* is for another name$/,
    ],
    [
      'what is no certificate',
      () => ({ tls: { cert: 'none', key: 'none' }, ...user('plain') }),
      /^NQ_CONFIG .*no connection .* can be made with these settings/,
    ],
    [
      'TLS where none is spoken',
      () => ({ ...trusted(), ...plainly(), ...user('plain') }),
      /^NQ_CONFIG .*the broker at 127\.0\.0\.1:\d+ speaks no TLS: open the queue without tls$/,
    ],
    [
      'no TLS where it is spoken',
      () => user('plain'),
      /^NQ_CONFIG .*the broker at 127\.0\.0\.1:\d+ speaks TLS: open the queue with tls$/,
    ],
    [
      'nobody where a user is wanted',
      plainly,
      /^NQ_CONFIG .*the broker at 127\.0\.0\.1:\d+ wants a user, by (?=.*PLAIN)(?=.*SCRAM-SHA-256)(?=.*SCRAM-SHA-512).*: open the queue with sasl$/,
    ],
    [
      'nobody where a user is wanted, with TLS',
      trusted,
      /^NQ_CONFIG .* wants a user, by .*: open the queue with sasl$/,
    ],
  ])('opening tells, and soon, of %s', async (_what, options, told) => {
    const refusal = await refusalOf(() => openQueue(server, options()));
    expect(refusal.told).toMatch(told);
    expect(refusal.shown).not.toMatch(/hunter[23]/);
    // Not as late as what may be mended by time.
    expect(refusal.tookMs).toBeLessThan(8000);
  });

  test('a client of the user is refused as others are', async () => {
    const refusal = await refusalOf(() => openQueue(server, theirs(server.brokers, {})));
    expect(refusal.told).toMatch(/^NQ_CONFIG .*is not trusted/);
    expect(refusal.shown).not.toContain(password);
  });
});

describe.skipIf(offer.missing !== undefined || !offer.ours)(`where nobody asks for users, on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    const config = ['listener.name.client.sasl.enabled.mechanisms=PLAIN'];
    server = await offer.start({
      security: { client: 'SASL_PLAINTEXT', linked: 'PLAINTEXT', users: { nq: password } },
      config,
    });
  });
  afterAll(() => server?.stop());

  test.each<[string, () => TestOptions, RegExp]>([
    [
      'a user',
      () => ({ brokers: server.linkedBrokers, ...user('plain') }),
      /^NQ_CONFIG .*the broker asks for no user at that port: open the queue without sasl$/,
    ],
    [
      'TLS',
      () => ({ brokers: server.linkedBrokers, tls: true }),
      /^NQ_CONFIG .*speaks no TLS: open the queue without tls$/,
    ],
    [
      'a mechanism that it does not have',
      () => user('scram-sha-512'),
      /^NQ_CONFIG .*the broker takes PLAIN as sasl\.mechanism, and not this one$/,
    ],
  ])('opening tells, and soon, of %s', async (_what, options, told) => {
    const refusal = await refusalOf(() => openQueue(server, options()));
    expect(refusal.told).toMatch(told);
    expect(refusal.shown).not.toContain(password);
    expect(refusal.tookMs).toBeLessThan(8000);
  });

  test('a broker that is not there, or says nothing, is told when the time is over', async () => {
    const port = await freePort();
    const gone = await refusalOf(() => openQueue(server, { brokers: [`127.0.0.1:${port}`], openTimeoutMs: 5000 }));
    expect(gone.told).toMatch(/^NQ_UNAVAILABLE Cannot open a Kafka queue: nothing listens at 127\.0\.0\.1:\d+$/);
    server.links[0]?.freeze();
    const silent = await refusalOf(() => openQueue(server, { brokers: server.linkedBrokers, openTimeoutMs: 5000 }));
    server.links[0]?.heal();
    expect(silent.told).toBe('NQ_UNAVAILABLE Cannot open a Kafka queue: Kafka has not answered within 5000 ms');
    for (const { tookMs } of [gone, silent]) expect(tookMs).toBeLessThan(9000);
  });

  test('what hangs up is not taken for something that it has not said', async () => {
    const there = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(there, 'listening');
    const brokers = [`127.0.0.1:${(there.address() as AddressInfo).port}`];
    // It speaks no TLS, whatever it is told.
    const client = new Kafka({
      brokers,
      logLevel: logLevel.NOTHING,
      socketFactory: ({ host, port, onConnect }) => connect({ host, port }, onConnect),
    });
    for (const options of [
      { brokers },
      { brokers: undefined, client },
      { brokers, tls: true },
      { brokers, ...user('plain') },
    ]) {
      const { told } = await refusalOf(() => openQueue(server, { ...options, openTimeoutMs: 5000 }));
      expect(told).toMatch(/^NQ_UNAVAILABLE Cannot open a Kafka queue: the broker at 127\.0\.0\.1:\d+ has hung up/);
    }
    there.close();
  });
});

describe.skipIf(offer.missing !== undefined || !offer.ours)(`where clients show certificates, on ${offer.name}`, () => {
  test('a queue works with one, and opening tells, and soon, of none', async () => {
    const config = ['client.auth=required', 'truststore.type=PEM', 'truststore.location=tls.pem'];
    await using server = await offer.start({
      security: { client: 'SSL' },
      config: config.map((line) => `listener.name.client.ssl.${line}`),
    });
    const { certificate: cert, key } = server.certificate ?? {};
    const { told, tookMs } = await refusalOf(() => openQueue(server, { tls: { ca: cert } }));
    expect(told).toMatch(
      /^NQ_CONFIG .*127\.0\.0\.1:\d+ wants a certificate that it trusts: give tls\.cert and tls\.key$/,
    );
    expect(tookMs).toBeLessThan(8000);
    await using queue = await openQueue(server, { tls: { ca: cert, cert, key } });
    await queue.push({ type: 'a' });
    await (await take(queue)).ack();
  }, 150_000);
});
