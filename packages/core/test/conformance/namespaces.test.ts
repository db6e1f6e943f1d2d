import { expect, test } from 'vitest';
import { type ConformanceHarness, runConformance, simulatedHarness } from '../../src/conformance.ts';

/** What a whole run asked for: every id in turn, and those that were there already when they were asked for. */
async function idsOfRun(): Promise<{ readonly ids: readonly string[]; readonly twice: readonly string[] }> {
  const [ids, twice]: string[][] = [[], []];
  const present = new Set<string>();
  const simulated = simulatedHarness();
  const harness: ConformanceHarness = {
    ...simulated,
    async namespace(id) {
      if (present.has(id)) twice?.push(id);
      ids?.push(id);
      present.add(id);
      const place = await simulated.namespace(id);
      return {
        ...place,
        async dispose() {
          present.delete(id);
          await place.dispose();
        },
      };
    },
  };
  await runConformance(harness, { seed: 1 });
  return { ids: ids ?? [], twice: twice ?? [] };
}

test('the ids of namespaces may be names of files, topics and keys, and no run has those of another one', async () => {
  const [first, second] = [await idsOfRun(), await idsOfRun()];
  expect(first.ids.length).toBeGreaterThan(90);
  expect(first.ids.filter((id) => !/^[a-z][a-z0-9-]{0,59}$/.test(id))).toEqual([]);
  expect(first.twice).toEqual([]);
  expect(first.ids.filter((id) => second.ids.includes(id))).toEqual([]);
});
