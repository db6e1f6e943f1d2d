import { describe, expect, test } from 'vitest';
import { ConformanceSession, rules } from '../../src/conformance.ts';
import { dispatchersOf, harnessOf } from './mutant.ts';
import { mutants } from './mutants.ts';

const seed = 1;
const named = new Set(rules.flatMap((rule) => rule.mutants));

describe('the rulebook', () => {
  test('has a mutant for every rule', () => {
    expect(rules.filter((rule) => rule.mutants.length === 0).map(({ id }) => id)).toEqual([]);
  });

  test('names no mutant that does not exist, and no mutant exists that no rule names', () => {
    const existing = mutants.map(({ name }) => name);
    expect([...named].filter((name) => !existing.includes(name))).toEqual([]);
    expect(existing.filter((name) => !named.has(name))).toEqual([]);
    expect(new Set(existing).size).toBe(existing.length);
  });
});

describe.each(rules.filter(({ tier }) => tier !== 'stress'))('rule $id $slug', (rule) => {
  test.each(rule.mutants)('catches %s', async (name) => {
    const mutant = mutants.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
    let wrongs = 0;
    const harness = harnessOf(mutant, () => wrongs++);
    const session = new ConformanceSession(harness, {
      only: [rule.id],
      seed,
      dispatchers: dispatchersOf(mutant, () => wrongs++),
    });
    await session.start();
    // What is wrong with the event that is pushed before any rule proves nothing about the rule.
    wrongs = 0;
    await session.run(rule);
    const report = await session.end();
    expect(report).toMatchObject({ problems: [], rules: [{ id: rule.id, status: 'FAIL' }] });
    // The rule itself is wrong then, not the queue.
    expect(report.rules[0]?.reason).not.toMatch(/^unexpected (ReferenceError|SyntaxError|TypeError: Cannot read)/);
    // One that never does what is wrong would prove nothing.
    expect(wrongs).toBeGreaterThan(0);
  });
});
