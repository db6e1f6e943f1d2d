import { describe, expect, test } from 'vitest';
import { channelSuite } from '../src/channel/suite.ts';

const { cases, targets } = channelSuite;

describe('the channel suite', () => {
  test('gives every case a name of its own', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  test('holds targets against cases that exist, by readings that they have', () => {
    const known = new Set(
      cases.flatMap(({ name, group }) => group.columns.flatMap(({ keys }) => keys.map((key) => `${name}: ${key}`))),
    );
    const used = targets.flatMap(({ numerator, denominator = numerator }) => [numerator, denominator]);
    expect(used.map((one) => `${one.case}: ${one.reading}`).filter((name) => !known.has(name))).toEqual([]);
  });

  test('has every target that needs no Go', () => {
    const rows = targets.filter(({ asked }) => asked !== undefined).map(({ row }) => row);
    const expected = ['3', '4', '5', '6', '7', '8', '9', '10', '11', '14', '15', '16', '17', '18', '19'];
    expect([...new Set(rows)]).toEqual(expected);
  });
});
