import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createProgress } from '../src/progress.ts';

/** What is written to a stream; to a terminal if `isTTY`. */
function screen(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 120,
    cursorTo() {},
    moveCursor() {},
    clearLine() {},
  });
  return { stream, text: (): string => stream.read()?.toString() ?? '' };
}

describe('progress', () => {
  test('is a bar on a terminal', () => {
    const { stream, text } = screen(true);
    const progress = createProgress(stream, 2000, {});
    progress.update(1500, 1500);
    progress.end();
    expect(stripVTControlCharacters(text())).toMatch(/█+░+ 75% \| dispatched 1,500 of 2,000\n$/);
  });

  test('says things above the bar, also those that come last', () => {
    const { stream, text } = screen(true);
    const progress = createProgress(stream, 2000, {});
    progress.update(2, 1);
    progress.say('line 2: not UTF-8');
    progress.end();
    expect(stripVTControlCharacters(text())).toContain('line 2: not UTF-8\n');
  });

  test.for([
    ['elsewhere', false, {}],
    ['in CI', true, { CI: 'true' }],
    ['on a terminal that cannot move its cursor', true, { TERM: 'dumb' }],
  ] as const)('is lines %s', ([, isTTY, env]) => {
    const { stream, text } = screen(isTTY);
    const progress = createProgress(stream, 700, env);
    for (let count = 1; count <= 700; count++) progress.update(count, count);
    progress.end();
    expect(text()).toBe('dispatched 500 of 700\ndispatched 700 of 700\n');
  });

  test('is lines on a terminal too where the end is not known', () => {
    const { stream, text } = screen(true);
    const progress = createProgress(stream, undefined, {});
    progress.update(3, 3);
    progress.end();
    expect(text()).toBe('dispatched 3\n');
  });

  test('tells a number once, though broken lines follow', () => {
    const { stream, text } = screen(false);
    const progress = createProgress(stream, 502, {});
    for (const lines of [500, 501, 502]) progress.update(lines, 500);
    progress.end();
    expect(text()).toBe('dispatched 500 of 502\n');
  });

  test('takes longer steps as the numbers grow', () => {
    const { stream, text } = screen(false);
    const progress = createProgress(stream, undefined, {});
    for (let count = 1; count <= 20_000; count++) progress.update(count, count);
    progress.end();
    expect(text().trimEnd().split('\n')).toHaveLength(22);
  });

  test('uses no colours', () => {
    const { stream, text } = screen(true);
    const progress = createProgress(stream, 10, {});
    progress.update(10, 10);
    progress.end();
    const commands = text().split('\u{1B}').slice(1);
    expect(commands.filter((command) => /^\[[\d;]*m/.test(command))).toEqual([]);
  });
});
