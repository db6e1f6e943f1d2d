import { createEvent, type DeadLetter } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { Accounts } from '../src/accounts.ts';
import { EntrySet } from '../src/entry-set.ts';
import { makeFile } from './run-program.ts';

const line = (entry: string | undefined, more: object = {}): string =>
  `${JSON.stringify({ id: 'same', type: 'quake', key: 'k', time: 0, entry, ...more })}\n`;
const letter = (id: string, headers: Record<string, string>): DeadLetter => ({
  event: createEvent({ id, type: 'quake', headers }),
  attempts: 3,
  reason: 'no',
  deadAt: 0,
});

describe('Accounts', () => {
  test('count an event once that is in two audit logs, and the other time as a duplicate', async () => {
    const accounts = new Accounts();
    const report = { magnitude: 5, grade: 'A', alert: true, place: 'here' };
    const records = [
      await accounts.addLog(makeFile(line('run-1', report) + line('run-2'))),
      await accounts.addLog(makeFile(line('run-3') + line('run-1', report))),
    ];
    expect([records, accounts.handled, accounts.duplicates]).toEqual([[2, 2], 3, 1]);
    const { results } = accounts;
    expect([results.alerts, results.grades.get('A'), results.byKey.get('k')?.handled]).toEqual([1, 1, 3]);
    expect(results.strongest).toEqual({ id: 'same', magnitude: 5, place: 'here' });
  });

  test('leave out a last line that its writer could not finish', async () => {
    const accounts = new Accounts();
    await accounts.addLog(makeFile(line('run-1') + line('run-2').slice(0, 20)));
    expect(accounts.handled).toBe(1);
  });

  test('tell apart by their ids what no run has dispatched', async () => {
    const accounts = new Accounts();
    const one = line(undefined, { id: 'one' });
    await accounts.addLog(makeFile(one + line(undefined, { id: 'two' }) + one));
    expect([accounts.handled, accounts.duplicates]).toEqual([2, 1]);
  });

  test('have no dead letter of what was handled as well', async () => {
    const accounts = new Accounts();
    await accounts.addLog(makeFile(line('run-1')));
    const letters = [letter('a', { exampleentry: 'run-1' }), letter('b', { exampleentry: 'run-2' })];
    expect(accounts.notHandled(letters).map(({ event }) => event.id)).toEqual(['b']);
    expect(accounts.duplicates).toBe(1);
  });
});

describe('EntrySet', () => {
  test('knows what was added, and whether it is new', () => {
    const entries = new EntrySet();
    const some = ['a-1', 'a-9', 'b-1', 'a-8192', 'a-999999999999999', 'a-01', 'a-', 'a', '-1', 'a-1e9', ''];
    expect(some.filter((entry) => entries.has(entry))).toEqual([]);
    expect(some.map((entry) => entries.add(entry))).toEqual(some.map(() => true));
    expect(some.map((entry) => entries.add(entry))).toEqual(some.map(() => false));
    expect(['a-2', 'b-9', 'a-8193', 'a-0'].filter((entry) => entries.has(entry))).toEqual([]);
  });
});
