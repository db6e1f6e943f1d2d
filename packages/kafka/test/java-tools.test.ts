import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { kafkaOffer, kafkaTools, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take } from './support/queue.ts';

const offer = await kafkaOffer({ provider: 'native' });
const tools = offer.missing === undefined ? await kafkaTools('4.1.0').catch(() => undefined) : undefined;

describe.skipIf(tools === undefined)(`the console tools of Java, on ${offer.name}`, () => {
  let server: TestKafka;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await server?.stop();
  });

  /** Runs a tool with the lines of `input`. @returns what it prints. */
  const run = (
    tool: string,
    args: readonly string[],
    input = '',
  ): { readonly output: () => string; readonly ended: Promise<unknown> } => {
    const { java, classPath } = tools as NonNullable<typeof tools>;
    const options = ['--bootstrap-server', server.brokers[0] as string, ...args];
    const child = spawn(java, [
      '-XX:TieredStopAtLevel=1',
      '-cp',
      classPath,
      `org.apache.kafka.tools.${tool}`,
      ...options,
    ]);
    children.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stdin.end(input);
    return { output: () => output, ended: once(child, 'exit') };
  };

  test('write what a queue takes, in the partitions where it looks for their keys', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    const keys = ['acct-1', 'acct-2', 'é😀', 'acct-4'];
    const lines = keys.map((key) => `${key}|{"type":"order.created","total":42}\n`).join('');
    const properties = ['--property', 'parse.key=true', '--property', 'key.separator=|'];
    await run('ConsoleProducer', ['--topic', topic, ...properties], lines).ended;
    // Behind those of Java, in the partition of each key: it comes after them only there.
    await queue.pushMany(keys.map((key) => ({ type: 'order.paid', key })));
    const seen = new Map<string, string[]>();
    const all: unknown[] = [];
    for (let count = 0; count < 2 * keys.length; count++) {
      const delivery = await take(queue);
      const { key = '', type, data } = delivery.event;
      seen.set(key, [...(seen.get(key) ?? []), type]);
      all.push({ type, data });
      await delivery.ack();
    }
    const created = { type: 'order.created', data: { type: 'order.created', total: 42 } };
    expect(all).toContainEqual(created);
    expect(seen).toEqual(new Map([...seen.keys()].map((key) => [key, ['order.created', 'order.paid']])));
    expect([...seen.keys()].toSorted()).toEqual(keys.toSorted());
  });

  test('read what a queue has pushed: the key, the attributes in headers, the data', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    await queue.push({ id: 'e-1', type: 'order.created', key: 'acct-7', data: { total: 42 }, time: 0 });
    const properties = ['print.key=true', 'print.headers=true'].flatMap((property) => ['--property', property]);
    const reader = run('consumer.ConsoleConsumer', [
      '--topic',
      topic,
      '--from-beginning',
      '--max-messages',
      '1',
      ...properties,
    ]);
    await until('the event', () => reader.output().includes('\n'), { deadlineMs: 60_000 });
    const [headers = '', key, data] = reader.output().trim().split('\t');
    expect([key, data]).toEqual(['acct-7', '{"total":42}']);
    for (const header of [
      'ce_id:e-1',
      'ce_type:order.created',
      'ce_specversion:1.0',
      'content-type:application/json',
    ]) {
      expect(headers.split(',')).toContain(header);
    }
    await reader.ended;
  });
});
