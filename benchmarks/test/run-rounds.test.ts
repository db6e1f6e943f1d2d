import { describe, expect, test } from 'vitest';
import { orderOfRuns } from '../src/harness/run-rounds.ts';
import { makeCase } from './fixtures.ts';

const nodes = [
  { version: '20.19.0', v8: '11', path: 'a' },
  { version: '24.1.0', v8: '13', path: 'b' },
];
const cases = ['a', 'b', 'c', 'd', 'e'].map((name) => makeCase(name));
const names = (runs: readonly { case: { name: string }; node: { version: string } }[]) =>
  runs.map((run) => `${run.case.name} ${run.node.version}`);

describe('orderOfRuns()', () => {
  test('runs every case on every Node once in each round', () => {
    const rounds = orderOfRuns({ cases, nodes, rounds: 3, seed: 1 });
    expect(rounds.map((runs) => new Set(names(runs)).size)).toEqual([10, 10, 10]);
    expect(rounds.map((runs) => runs.every(({ round }, _, all) => round === all[0]?.round))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('gives each round an order of its own, and the same ones for the same seed', () => {
    const [first, second] = orderOfRuns({ cases, nodes, rounds: 2, seed: 1 });
    expect(names(first ?? [])).not.toEqual(names(second ?? []));
    expect(orderOfRuns({ cases, nodes, rounds: 2, seed: 1 })).toEqual([first, second]);
  });

  test('leaves a case out of the rounds after its last one', () => {
    const rounds = orderOfRuns({
      cases: [makeCase('slow', { maxRounds: 1 }), makeCase('fast')],
      nodes,
      rounds: 2,
      seed: 1,
    });
    expect(rounds.map(({ length }) => length)).toEqual([4, 2]);
  });
});
