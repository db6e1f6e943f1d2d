import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaQueue } from '@nq/kafka';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Summary } from '../src/summary.ts';
import { firstHalf, isAlive, kill, ProcessesRun, secondHalf } from './processes.ts';

const { name, missing, ours, start } = await kafkaOffer();

/** What is true of every run of the whole week, whatever became of its workers. */
const whole = { dispatched: 1707, handled: 1702, deadLettered: 5, accounted: 1707, expected: 1707, problems: [] };

describe.skipIf(missing !== undefined || !ours)(`three processes on ${name}`, { timeout: 120_000 }, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await start();
    // As somebody who runs the brokers does before: the program makes no topics.
    const topics = { topic: 'notification-events', groupId: 'notification-service' };
    const createTopic = { partitions: 12, replicationFactor: 1 };
    await (await kafkaQueue({ brokers: server.brokers, ...topics, createTopic })).close();
  });
  afterAll(() => server?.stop());

  test('of which one is killed half-way account for the whole week, and handle the reports of each network in their order', async () => {
    const extra = {
      brokers: server.brokers,
      topic: 'notification-events',
      group_id: 'notification-service',
      version: '2.8.0',
    };
    const queue = JSON.stringify({ type: 'kafka', bufferSize: 10_000, extra });
    const run = new ProcessesRun(['--json', '--processes', '3', '--queue', queue]);
    const pids = await run.pids(3);
    const handled = (worker: number): number => run.records(worker).length;
    // The networks are not alike: one worker may have nearly none of the reports.
    const busiest = (): number | false => {
      const [first, second] = [1, 2, 3].toSorted((one, other) => handled(other) - handled(one)) as [number, number];
      return handled(second) > 10 && handled(first) > 50 && first;
    };
    // As they come in: one worker alone would have handled all of them before the others have joined the group.
    const reports = firstHalf.split(/(?<=\n)/);
    while (busiest() === false && reports.length > 0) {
      run.child.stdin.write(reports.splice(0, 5).join(''));
      await sleep(100);
    }
    const number = await until('two workers to have handled some', busiest);
    kill(pids[number - 1]);
    await until('it to be gone', () => !isAlive(pids[number - 1] as number));
    run.child.stdin.end(reports.join('') + secondHalf);
    const { code, stdout, stderr } = await run.ended;
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^worker ${number} .* was killed by SIGKILL`, 'm')),
    ]);
    const summary = JSON.parse(stdout) as Summary;
    expect(summary).toMatchObject(whole);

    const lines = [1, 2, 3].map((worker) => linesByNetwork(run.records(worker)));
    const killed = lines[number - 1] as Lines;
    // The others have gone on with its networks.
    const others = [...killed.keys()].filter((network) => lines.some((own) => own !== killed && own.has(network)));
    expect(others).not.toEqual([]);
    for (const own of lines) {
      for (const [network, numbers] of own) {
        expect([network, numbers]).toEqual([network, numbers.toSorted((a, b) => a - b)]);
      }
    }
    // A network is handled by one worker at a time: it goes to another when they begin, and when one is killed.
    const networks = new Set(lines.flatMap((own) => [...own.keys()]));
    for (const network of networks)
      expect([network, handovers(lines, network)]).toEqual([network, expect.toSatisfy(few)]);
  });
});

/** The lines of the input that a worker has handled first, in the order in which it did, by network. */
type Lines = ReadonlyMap<string, readonly number[]>;

function linesByNetwork(records: ReturnType<ProcessesRun['records']>): Lines {
  const lines = new Map<string, number[]>();
  const seen = new Set<string>();
  for (const { key = '', entry = '' } of records) {
    if (seen.has(entry)) continue;
    seen.add(entry);
    lines.set(key, [...(lines.get(key) ?? []), Number(entry.split(/\D+/).at(-1))]);
  }
  return lines;
}

/** How often the next line of `network` was handled by another worker than the one before. */
function handovers(lines: readonly Lines[], network: string): number {
  const workers = lines.flatMap((own, worker) => (own.get(network) ?? []).map((line) => ({ line, worker })));
  const inOrder = workers.toSorted((a, b) => a.line - b.line || a.worker - b.worker);
  return inOrder.filter(({ worker }, index) => index > 0 && inOrder[index - 1]?.worker !== worker).length;
}

const few = (count: number): boolean => count <= 6;
