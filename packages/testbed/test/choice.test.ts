import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { redis, redisOffer, redisVersions } from '../src/index.ts';

const native = await redisOffer({ provider: 'native' });
const docker = await redisOffer({ provider: 'docker' });

afterEach(() => vi.unstubAllEnvs());

/** Nothing of what the environment says reaches the tests, and nothing of what they find is shown as what was tested on. */
function stubEnv(env: Readonly<Record<string, string>>): void {
  for (const name of ['NQ_TESTBED', 'NQ_TEST_REDIS_URL', 'VITEST']) vi.stubEnv(name, '');
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
}

describe.skipIf(native.missing !== undefined)(`where there is a native server: ${native.name}`, () => {
  test('it is taken where NQ_TESTBED says native, and the versions that it is not are missing, with the reason', async () => {
    stubEnv({ NQ_TESTBED: 'native' });
    const offers = await redisVersions();
    expect(offers[0]).toMatchObject({ name: native.name, provider: 'native', missing: undefined, ours: true });
    const versions = offers.map(({ version }) => version);
    expect(versions).toEqual(expect.arrayContaining(['redis-7', 'redis-8', 'valkey-8']));
    for (const { name, missing, version, start } of offers.slice(1)) {
      if (missing === undefined) continue;
      expect(version).not.toBe(native.version);
      expect(missing).toMatch(/^native has (Redis|Valkey) /);
      expect(name).toContain(missing);
      await expect(start()).rejects.toThrow(missing);
    }
  });

  test('an option of the test wins over NQ_TESTBED, and is no error where it cannot be had', async () => {
    stubEnv({ NQ_TESTBED: 'native' });
    const offer = await redisOffer({ provider: 'external' });
    expect(offer).toMatchObject({ provider: undefined, missing: 'external: NQ_TEST_REDIS_URL is not set' });
    expect(offer.name).toBe('Redis, which is missing: external: NQ_TEST_REDIS_URL is not set');
  });

  test('an external one is found by its URL, is not ours to stop, and is reached through links too', async () => {
    await using server = await native.start({ config: ['requirepass p@ss'] });
    stubEnv({ NQ_TESTBED: 'external', NQ_TEST_REDIS_URL: `${server.url}/3` });
    const offer = await redisOffer();
    expect(offer).toMatchObject({ provider: 'external', ours: false, version: native.version });
    expect(offer.name).toBe(`${server.product} ${server.version} (external)`);

    const external = await offer.start();
    expect(external.url).toBe(`${server.url}/3`);
    await external.command('SET', 'a', 1);
    expect(await server.command('INFO', 'keyspace')).toContain('db3:keys=1');
    const link = await external.link();
    expect(external.urlAt(link)).toBe(`redis://:p%40ss@127.0.0.1:${link.port}/3`);
    for (const verb of ['restart', 'kill', 'start', 'freeze', 'thaw'] as const) {
      await expect(external[verb]()).rejects.toThrow(
        `Cannot ${verb} ${server.product}: NQ_TEST_REDIS_URL names one that is`,
      );
    }
    await external.stop();
    expect(await server.command('PING')).toBe('PONG');
    await expect(offer.start({ config: ['appendonly yes'] })).rejects.toThrow('Cannot configure');
  });
});

describe('NQ_TESTBED', () => {
  test('must name a provider', async () => {
    stubEnv({ NQ_TESTBED: 'podman' });
    await expect(redis()).rejects.toThrow('NQ_TESTBED must be one of docker, native, external, got "podman"');
  });

  test('is an error where it asks for what cannot be had, so that no test is skipped in silence', async () => {
    stubEnv({ NQ_TESTBED: 'external' });
    await expect(redisVersions()).rejects.toThrow(
      'Cannot do as NQ_TESTBED says: external: NQ_TEST_REDIS_URL is not set',
    );
  });

  test.for([
    ['http://127.0.0.1', 'it is not like redis://host:6379/0'],
    ['redis://:secret@127.0.0.1:1', 'connect ECONNREFUSED'],
    ['redis://:secret@127.0.0.1:1/a', 'it is not like redis://host:6379/0'],
  ])('says what is wrong with NQ_TEST_REDIS_URL=%s, but not what it holds', async ([url = '', why]) => {
    stubEnv({ NQ_TESTBED: 'external', NQ_TEST_REDIS_URL: url });
    const error = await redis().catch((reason: Error) => reason);
    expect((error as Error).message).toContain(why);
    expect((error as Error).message).not.toContain('secret');
  });
});

describe.skipIf(docker.missing !== undefined)(`where there is a Docker engine: ${docker.name}`, () => {
  test('it comes first', async () => {
    stubEnv({});
    expect(await redisOffer()).toMatchObject({ provider: 'docker', ours: true });
  });

  test('an image that cannot be had is a version that is missing, and the others are there', async () => {
    stubEnv({ NQ_TEST_REDIS_8_IMAGE: 'localhost:1/nothing:1' });
    const offers = await redisVersions({ provider: 'docker' });
    const missing = offers.find(({ version }) => version === 'redis-8')?.missing;
    expect(missing).toMatch(
      /^docker: localhost:1\/nothing:1 is not here and cannot be pulled \(.*\); docker has Redis 7/,
    );
  });
});

test('where redis-server is not on PATH, the native one comes from Maven Central', async ({ skip }) => {
  const folder = mkdtempSync(join(tmpdir(), 'nq-path-'));
  try {
    stubEnv({ PATH: pathWithout(['redis-server', 'valkey-server'], folder) });
    const { name, missing, start } = await redisOffer({ provider: 'native' });
    skip(missing?.includes('there is no mvn on PATH') === true, missing);
    expect(name).toMatch(/^Redis 6\.2\.\d+ \(native\)$/);
    await using server = await start();
    expect(await server.command('PING')).toBe('PONG');
    expect(server.from).toContain('embedded-redis');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** What PATH leads to, but for these programs, as links in one folder. */
function pathWithout(programs: readonly string[], folder: string): string {
  mkdirSync(folder, { recursive: true });
  const linked = new Set(programs);
  for (const from of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of namesIn(from)) {
      if (linked.has(name)) continue;
      linked.add(name);
      symlinkSync(join(from, name), join(folder, name));
    }
  }
  return folder;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
