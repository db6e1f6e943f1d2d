import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { kafkaOffer } from 'nq-testbed';
import { describe, expect, onTestFinished, test } from 'vitest';
import { quickBudget } from '../src/harness/budget.ts';
import { casesOf } from '../src/harness/targets.ts';
import { CommittedOffsets } from '../src/kafka/committed-offsets.ts';
import { Gate } from '../src/kafka/gate.ts';
import { rebalance } from '../src/kafka/measure-rebalance.ts';
import { kafkaSuite } from '../src/kafka/suite.ts';

const { cases, targets } = kafkaSuite;
const { name, missing } = await kafkaOffer({ version: '4.1.0', provider: 'native' });

describe('the Kafka suite', () => {
  test('gives every case a name of its own', () => {
    expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length);
  });

  test('holds targets against readings of cases that exist', () => {
    const known = new Set(cases.map((one) => one.name));
    expect(targets.flatMap(casesOf).filter((one) => !known.has(one))).toEqual([]);
    for (const { numerator, denominator } of targets) {
      for (const quantity of [numerator, denominator]) {
        if (quantity === undefined) continue;
        const keys = cases.find((one) => one.name === quantity.case)?.group.columns.flatMap((column) => column.keys);
        expect(keys).toContain(quantity.reading);
      }
    }
  });

  test('has every target', () => {
    const rows = targets.filter(({ asked }) => asked !== undefined).map(({ row }) => row);
    expect([...new Set(rows)]).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
  });
});

test('what is committed is reached once the offsets of all partitions together say so', async () => {
  const committed = new CommittedOffsets();
  const seen: string[] = [];
  const reached = committed.reach(5).then(() => seen.push('reached'));
  committed.set(0, 2);
  committed.set(1, 2);
  committed.set(1, 2);
  await Promise.resolve();
  expect(seen).toEqual([]);
  committed.set(0, 3);
  await reached;
  expect(seen).toEqual(['reached']);
});

test('a gate lets through what comes while it is open, and nothing before or after', async () => {
  const gate = new Gate();
  const seen: string[] = [];
  const waiting = gate.pass().then(() => seen.push('waited'));
  await Promise.resolve();
  expect(seen).toEqual([]);
  await gate.during(async () => {
    expect(gate.isOpen).toBe(true);
    await waiting;
  });
  expect(gate.isOpen).toBe(false);
});

test('a rebalance counts what is handled twice, and what has waited', async () => {
  const members = new Set<(index: number) => void>();
  let held: number[] | undefined;
  const readings = await rebalance(async () => ({
    // Each member is handed everything, once nothing is held back any more.
    put(index) {
      if (held?.push(index) === 100) for (const one of held.splice(0)) for (const handled of members) handled(one);
      else if (held === undefined) for (const handled of members) handled(index);
      if (held?.length === 0) held = undefined;
    },
    async join(handled) {
      members.add(handled);
      if (members.size === 2) held = [];
      return async () => members.delete(handled);
    },
  }))({ ...quickBudget, loopMs: 100 }, '');

  const { duplicates, longestGapMs, longestWaitMs, lost } = readings as Record<string, number>;
  // The hundred that were held back, and those of the 100 ms until the second one leaves: in two rebalances.
  expect(duplicates).toBeGreaterThanOrEqual(50);
  expect(lost).toBe(0);
  expect(longestGapMs).toBeGreaterThanOrEqual(90);
  expect(longestWaitMs).toBeGreaterThanOrEqual(90);
});

describe.skipIf(missing !== undefined)(`a quick run on ${name}`, () => {
  test('runs a case of each kind, of every client', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nq-benchmarks-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const json = join(folder, 'kafka.json');
    const main = fileURLToPath(new URL('../src/kafka/main.ts', import.meta.url));
    const chosen =
      '^push, nq, (one|1,000)|^push, (kafkajs|@plat.*), batches|Java|^consume, (kafkajs eachBatch(, records of nq)?|@plat.*|nq popMany, acks meanwhile)$|^1,000/s, nq|^rebalance, nq|^idle, nq';
    const args = [main, '--quick', '--rounds', '1', '--only', chosen, '--json', json];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 280_000 });

    expect(stdout).toContain('push, nq, 1,000 concurrent');
    const { service, samples, broken, verdicts } = JSON.parse(readFileSync(json, 'utf8'));
    expect(service).toBe('Kafka 4.1.0');
    expect(broken).toEqual([]);
    const expected = cases.filter((one) => new RegExp(chosen).test(one.name));
    expect(expected).toHaveLength(12);
    const read = new Map<string, object>(
      samples.map((one: { case: string; readings: object }) => [one.case, one.readings]),
    );
    expect([...read.keys()].toSorted()).toEqual(expected.map((one) => one.name).toSorted());
    for (const one of expected) {
      const readings = read.get(one.name) ?? {};
      expect(Object.keys(readings).toSorted()).toEqual(one.group.columns.flatMap(({ keys }) => keys).toSorted());
      expect(Object.values(readings).every((value) => value >= 0 && Number.isFinite(value))).toBe(true);
    }
    expect(verdicts.map((one: { row: string }) => one.row)).toEqual(expect.arrayContaining(['3', '5', '8']));
  }, 300_000);
});
