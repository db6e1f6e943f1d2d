import { testConformance } from '@nq/core/conformance/vitest';
import { redisVersions } from 'nq-testbed';
import { describe } from 'vitest';
import { redisHarness } from './support/redis-harness.ts';

/** What the server of a queue that claims to be durable keeps. */
const config = ['appendonly yes', 'appendfsync everysec'];

for (const { name, missing, start } of await redisVersions()) {
  describe.skipIf(missing !== undefined)(`a list on ${name}`, () => {
    testConformance(
      redisHarness(name, () => start({ config })),
      { strict: true, reportFolder: `test-results/${name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-')}` },
    );
  });
}
