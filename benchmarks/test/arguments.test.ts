import { resolve } from 'node:path';
import { CommanderError } from 'commander';
import { describe, expect, test, vi } from 'vitest';
import { readArguments } from '../src/harness/arguments.ts';

const read = (...argv: string[]) => readArguments(argv, 'A benchmark.');

describe('readArguments()', () => {
  test('measures everything by default, and writes no docs', () => {
    expect(read()).toEqual({
      node: [],
      rounds: undefined,
      only: undefined,
      quick: false,
      seed: undefined,
      json: undefined,
      writeDocs: false,
    });
  });

  test('takes several Nodes', () => {
    expect(read('--node', 'a/node', '--node', 'b/node').node).toEqual([resolve('a/node'), resolve('b/node')]);
  });

  test('reads numbers, a pattern and a file', () => {
    const args = read('--rounds', '3', '--seed', '42', '--only', '^NQ', '--json', 'out.json', '--quick');
    expect(args).toMatchObject({ rounds: 3, seed: 42, quick: true, json: resolve('out.json') });
    expect(args.only?.test('nq channel')).toBe(true);
  });

  test.for([
    ['--rounds', '0'],
    ['--rounds', '1.5'],
    ['--seed', 'now'],
    ['--only', '('],
    ['--fast'],
    ['channel'],
    ['--write-docs', '--quick'],
    ['--write-docs', '--only', 'nq'],
  ])('refuses %s %s', (argv) => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(() => read(...argv)).toThrow(CommanderError);
    expect(stderr).toHaveBeenCalled();
    stderr.mockRestore();
  });
});
