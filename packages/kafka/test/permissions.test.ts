import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AclRule, aclRules } from '../src/index.ts';
import { newTopic, openQueue, take, type TestOptions } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';

const offer = await kafkaOffer();
const sasl = { mechanism: 'scram-sha-512', username: 'nq', password: 'hunter2' } as const;

/** A queue whose names no other test has. */
const newNames = () => ({ topic: newTopic(), groupId: newTopic() });
const createTopic = { partitions: 2, replicationFactor: 1 };

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a user with ACLs, on ${offer.name},`, () => {
  let server: TestKafka;
  let admin: ReturnType<Kafka['admin']>;
  beforeAll(async () => {
    server = await offer.start({ security: { client: 'SASL_PLAINTEXT', users: { nq: 'hunter2' }, acls: true } });
    admin = new Kafka({ brokers: [...server.internalBrokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await server?.stop();
  });

  const resources = { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP };
  const operations = {
    Read: AclOperationTypes.READ,
    Write: AclOperationTypes.WRITE,
    Describe: AclOperationTypes.DESCRIBE,
    Create: AclOperationTypes.CREATE,
  };
  const aclOf = ({ resource, name, operation }: AclRule) => ({
    resourceType: resources[resource],
    resourceName: name,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:nq',
    host: '*',
    operation: operations[operation],
    permissionType: AclPermissionTypes.ALLOW,
  });
  const isAllowed = async (rule: AclRule): Promise<boolean> =>
    (await admin.describeAcls(aclOf(rule))).resources.length > 0;

  /** Resolves once the broker knows of it. */
  async function allow(rules: readonly AclRule[]): Promise<void> {
    await admin.createAcls({ acl: rules.map(aclOf) });
    await until('the broker to allow it', async () => (await Promise.all(rules.map(isAllowed))).every(Boolean));
  }

  async function forbid(rule: AclRule): Promise<void> {
    await admin.deleteAcls({ filters: [aclOf(rule)] });
    await until('the broker to forbid it', async () => !(await isAllowed(rule)));
  }

  /** Makes the topics of a queue, as an administrator does. */
  async function makeTopics(names: TestOptions): Promise<void> {
    await (await openQueue(server, { ...names, brokers: server.internalBrokers, createTopic })).close();
  }

  const open = (options: TestOptions) => openQueue(server, { sasl, createTopic: undefined, ...options });

  /** Everything that a queue can be asked for. @throws what any of it rejects with. */
  async function everything(options: TestOptions): Promise<void> {
    await using queue = await open(options);
    await queue.pushMany(['a', 'b', 'c', 'd', 'e'].map((type) => ({ type, key: type })));
    const deliveries = [];
    while (deliveries.length < 5) deliveries.push(await take(queue));
    const [a, b, c, d, e] = deliveries;
    await a?.ack();
    await b?.extend(60_000);
    await b?.nack({ delayMs: 1 });
    for (const delivery of [c, d, e]) await delivery?.nack({ deadLetter: true });
    await (await take(queue)).ack();
    expect(await queue.deadLetters.count()).toBe(3);
    const [first, second] = await queue.deadLetters.list();
    expect(await queue.deadLetters.replay([first?.event.id ?? ''])).toBe(1);
    expect(await queue.deadLetters.remove([second?.event.id ?? ''])).toBe(1);
    expect(await queue.deadLetters.replay()).toBe(1);
    for (let left = 2; left > 0; left--) await (await take(queue)).ack();
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    await queue.rewind({ position: 'earliest' });
    for (let left = 7; left > 0; left--) await (await take(queue)).ack();
  }

  test.each<[string, TestOptions]>([
    ['where the topics are there', {}],
    ['where it makes them', { createTopic }],
    ['with a retry topic', { retryTopic: true, retryAfterMs: 1 }],
  ])('who has what aclRules() names can do everything, %s', async (_where, options) => {
    const names = newNames();
    if (options.createTopic === undefined) await makeTopics({ ...names, ...options });
    await allow(aclRules({ ...names, ...options }));
    await expect(everything({ ...names, ...options })).resolves.toBeUndefined();
  });

  test('who may not make topics need not, where somebody else has', async () => {
    const names = newNames();
    await makeTopics(names);
    await allow(aclRules(names));
    await using queue = await open({ ...names, createTopic });
    await queue.push({ type: 'a' });
    expect((await take(queue)).event.type).toBe('a');
  });

  test('who has what is needed to push can, and learns what else a pop needs', async () => {
    const names = newNames();
    await makeTopics(names);
    await allow(aclRules(names, 'push'));
    await using queue = await open(names);
    await queue.push({ type: 'a' });
    const { told } = await refusalOf(() => queue.pop());
    expect(told).toBe(
      `NQ_CONFIG Cannot pop: the user lacks Describe on group "${names.groupId}": aclRules() of @nq/kafka has all that it needs`,
    );
    expect((await refusalOf(() => queue.size())).told).toContain(`lacks Describe on group "${names.groupId}"`);
  });

  const retrying = { retryTopic: true, retryAfterMs: 1 };
  const places = aclRules({ topic: 't', groupId: 'g', createTopic, ...retrying }).map(
    (rule, index): [string, number] => [`${rule.operation} on the ${rule.resource} ${rule.name}`, index],
  );

  test.each(places)('who lacks %s is told so', async (_what, index) => {
    const names = { ...newNames(), ...retrying };
    const rules = aclRules({ ...names, createTopic });
    const missing = rules[index] as AclRule;
    const makes = missing.operation === 'Create';
    if (!makes) await makeTopics(names);
    await allow(rules.filter((rule) => rule !== missing));
    const { told } = await refusalOf(() => everything({ ...names, createTopic, idleMs: 10_000 }));
    // Who may neither read nor write a group may not even see it.
    const operation = missing.resource === 'group' ? 'Describe' : missing.operation;
    expect(told).toMatch(/^NQ_CONFIG Cannot /);
    expect(told).toContain(
      `the user lacks ${operation} on ${missing.resource} "${missing.name}": aclRules() of @nq/kafka has all that it needs`,
    );
  });

  test.each<[string, 'push' | 'everything', number]>([
    ['the topic', 'push', 0],
    ['the dead letters', 'push', 1],
  ])('opening tells who may not see %s', async (_what, use, index) => {
    const names = newNames();
    await makeTopics(names);
    const rules = aclRules(names, use);
    await allow(rules.filter((_rule, at) => at !== index));
    const { told, shown } = await refusalOf(() => open(names));
    expect(told).toBe(
      `NQ_CONFIG Cannot open a Kafka queue: the user lacks Describe on topic "${rules[index]?.name}": aclRules() of @nq/kafka has all that it needs`,
    );
    expect(shown).not.toContain(sasl.password);
  });

  test.each<[string, number, RegExp, RegExp]>([
    ['reading the topic', 1, /lacks Read on topic/, /^NQ_CONFIG Cannot ack: the user lacks Read on topic/],
    // What is not settled soon is not ours any more.
    [
      'reading in the group',
      2,
      /lacks (?:Read|Describe) on group/,
      /lacks Read on group|^NQ_(?:LEASE_LOST|OUTCOME_UNKNOWN)/,
    ],
  ])(
    '%s is taken away: who pops and who settles is told, and goes on when it is back',
    async (_what, index, lack, unsettled) => {
      const names = newNames();
      await makeTopics(names);
      const rules = aclRules(names);
      const rule = rules[index] as AclRule;
      await allow(rules);
      await using queue = await open({ ...names, sessionTimeoutMs: 6000, requestTimeoutMs: 2000 });
      await queue.push({ type: 'a', key: 'k' });
      const held = await take(queue);
      const waiting = refusalOf(() => queue.pop());
      await forbid(rule);
      const told = [(await waiting).told, (await refusalOf(() => queue.pop())).told];
      for (const one of told) expect(one).toMatch(/^NQ_CONFIG Cannot pop: the user lacks/);
      for (const one of told) expect(one).toMatch(lack);
      expect((await refusalOf(() => held.ack())).told).toMatch(unsettled);
      await allow([rule]);
      await queue.push({ type: 'b', key: 'k' });
      const types = new Set<string>();
      await until('the next event', async () => {
        const delivery = await queue.pop({ timeoutMs: 1000 }).catch(() => undefined);
        if (delivery !== undefined) types.add(delivery.event.type);
        await delivery?.ack();
        return types.has('b');
      });
      await until('the size', async () => (await queue.size()).ready === 0);
    },
  );

  test('who may not make dead letters is warned of what is no event, and stays', async () => {
    const names = newNames();
    await makeTopics(names);
    await allow(aclRules(names).filter(({ name, operation }) => !(name.endsWith('.dead') && operation === 'Write')));
    const warnings: string[] = [];
    await using queue = await open({ ...names, onWarning: (warning) => void warnings.push(warning) });
    const producer = new Kafka({ brokers: [...server.internalBrokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic: names.topic, messages: [{ value: 'no JSON' }] });
    await producer.disconnect();
    expect(await queue.pop({ timeoutMs: 3000 })).toBeUndefined();
    expect(warnings).toEqual([
      expect.stringMatching(/^Record 0 of .* is no event, and stays until .*: .*lacks Write on topic ".*\.dead"/),
    ]);
  });

  test('writing the topics is taken away: who writes is told, and goes on when it is back', async () => {
    const names = newNames();
    await makeTopics(names);
    const rules = aclRules(names);
    const writing = rules.filter(({ operation }) => operation === 'Write');
    await allow(rules);
    await using queue = await open(names);
    await queue.push({ type: 'a' });
    const held = await take(queue);
    for (const rule of writing) await forbid(rule);
    expect((await refusalOf(() => queue.push({ type: 'b' }))).told).toBe(
      `NQ_CONFIG Cannot push: the user lacks Write on topic "${names.topic}": aclRules() of @nq/kafka has all that it needs`,
    );
    expect((await refusalOf(() => held.nack({ deadLetter: true }))).told).toMatch(
      /^NQ_CONFIG Cannot write dead letters: the user lacks Write on/,
    );
    await allow(writing);
    await queue.push({ type: 'c' });
    const next = await take(queue);
    expect(next.event.type).toBe('c');
    await next.nack({ deadLetter: true });
    expect((await queue.deadLetters.list()).map(({ event }) => event.type)).toContain('c');
  });

  test('seeing the dead letters is taken away: who asks for these is told, and pushes and pops go on', async () => {
    const names = newNames();
    await makeTopics(names);
    const rules = aclRules(names);
    await allow(rules);
    await using queue = await open({ ...names, metadataMaxAgeMs: 200, deliveryTimeoutMs: 3000 });
    const [letters] = rules.filter(({ name }) => name.endsWith('.dead')) as [AclRule];
    for (const rule of rules.filter(({ name }) => name === letters.name)) await forbid(rule);
    await until('the queue to know', async () => {
      const told = await queue.deadLetters.count().then(String, ({ message }: Error) => message);
      return told.includes(`lacks Describe on topic "${letters.name}"`);
    });
    await queue.push({ type: 'a' });
    const delivery = await take(queue);
    expect(delivery.event.type).toBe('a');
    await delivery.ack();
    await allow(rules.filter(({ name }) => name === letters.name));
    await until('the letters to be there', () =>
      queue.deadLetters.count().then(
        () => true,
        () => false,
      ),
    );
  });
});
