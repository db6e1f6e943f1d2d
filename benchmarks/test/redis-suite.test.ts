import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { redisOffer } from 'nq-testbed';
import { describe, expect, onTestFinished, test } from 'vitest';
import { casesOf } from '../src/harness/targets.ts';
import { indexOf, makeNotifications, notificationBytes } from '../src/harness/notification.ts';
import { redisSuite } from '../src/redis/suite.ts';

const { cases, targets } = redisSuite;
const { name, missing } = await redisOffer({ provider: 'native' });

test('every notification is 200 bytes of JSON, and knows its place', () => {
  const all = makeNotifications(0, 2000);
  expect(new Set(all.map((one) => Buffer.byteLength(JSON.stringify(one))))).toEqual(new Set([notificationBytes]));
  expect(all.map(indexOf)).toEqual(Array.from({ length: 2000 }, (_, index) => index));
});

describe('the Redis suite', () => {
  test('gives every case a name of its own', () => {
    expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length);
  });

  test('holds targets against cases that exist', () => {
    const known = new Set(cases.map((one) => one.name));
    expect(targets.flatMap(casesOf).filter((one) => !known.has(one))).toEqual([]);
  });

  test('has every target', () => {
    const rows = targets.filter(({ asked }) => asked !== undefined).map(({ row }) => row);
    expect([...new Set(rows)]).toEqual(['1', '2', '3', '4', '5']);
  });
});

describe.skipIf(missing !== undefined)(`a quick run on ${name}`, () => {
  test('runs a case of each kind, of every library', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nq-benchmarks-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const json = join(folder, 'redis.json');
    const main = fileURLToPath(new URL('../src/redis/main.ts', import.meta.url));
    const chosen = '100 concurrent|^wake, nq|^1,000/s, (ioredis|BullMQ)|200 bytes stored';
    const args = [main, '--quick', '--rounds', '1', '--only', chosen, '--json', json];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 150_000 });

    expect(stdout).toContain('push, nq list, 100 concurrent');
    const { service, samples, broken, verdicts } = JSON.parse(readFileSync(json, 'utf8'));
    expect(service).toMatch(/^(Redis|Valkey) \d/);
    expect(broken).toEqual([]);
    const expected = cases.filter((one) => new RegExp(chosen).test(one.name));
    const read = new Map<string, object>(
      samples.map((one: { case: string; readings: object }) => [one.case, one.readings]),
    );
    expect([...read.keys()].toSorted()).toEqual(expected.map((one) => one.name).toSorted());
    for (const one of expected) {
      const readings = read.get(one.name) ?? {};
      expect(Object.keys(readings)).toEqual(one.group.columns.flatMap(({ keys }) => keys));
      expect(Object.values(readings).every((value) => value > 0)).toBe(true);
    }
    // One of the memory of both layouts, and those of a hundred at once that need nothing else.
    expect(verdicts.map((one: { row: string }) => one.row)).toEqual(expect.arrayContaining(['1', '2', '4', '5']));
  }, 180_000);
});
