import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeFile, makeFolder, reportLine, runForSummary, runProgram } from './run-program.ts';

describe('standard input', () => {
  test('is read with --input -, and its length is not known before its end', async () => {
    const input = Array.from({ length: 600 }, (_, number) => reportLine(`r${number}`)).join('');
    const { code, summary, stderr } = await runForSummary(['--input', '-'], { input });
    expect([code, summary.handled, summary.accounted]).toEqual([0, 600, 600]);
    expect(stderr).toBe('dispatched 500\ndispatched 600\n');
  });

  test('may be empty', async () => {
    const { code, summary } = await runForSummary(['--input', '-']);
    expect([code, summary.expected, summary.accounted, summary.keys]).toEqual([0, 0, 0, []]);
  });
});

describe('events of any type', () => {
  const orders = [
    '{"type":"order.created","accountId":"a-7","amount":3}',
    '{"type":"order.created","accountId":7}',
    '{"specversion":"1.0","id":"e1","source":"/shop","type":"order.shipped","partitionkey":"a-7","time":"2024-01-01T00:00:00Z"}',
  ].join('\n');

  test('are handled, and counted by the member that --key names', async () => {
    const { code, summary } = await runForSummary(['--input', '-', '--key', 'accountId'], { input: orders });
    expect([code, summary.handled, summary.deadLettered]).toEqual([0, 3, 0]);
    expect(summary.types.map(({ type, handled }) => [type, handled])).toEqual([
      ['order.created', 2],
      ['order.shipped', 1],
    ]);
    expect(summary.keys.map(({ key, handled }) => [key, handled])).toEqual([
      ['a-7', 2],
      ['7', 1],
    ]);
  });

  test('have no key where the member is missing', async () => {
    const { summary } = await runForSummary(['--input', '-'], { input: orders });
    expect(summary.keys.map(({ key, handled }) => [key, handled])).toEqual([
      ['', 2],
      ['a-7', 1],
    ]);
  });

  test('keep their id and their time in the audit log', async () => {
    const audit = join(makeFolder(), 'audit.ndjson');
    await runForSummary(['--input', '-', '--audit', audit], { input: orders });
    const last = JSON.parse(readFileSync(audit, 'utf8').trimEnd().split('\n').at(-1) ?? '');
    const known = { id: 'e1', type: 'order.shipped', key: 'a-7', time: '2024-01-01T00:00:00.000Z' };
    expect(last).toEqual({ ...known, entry: expect.stringMatching(/-3$/) });
  });

  test('are shown as twelve types and the number of the others', async () => {
    const input = Array.from({ length: 14 }, (_, number) => `{"type":"t${number}"}`).join('\n');
    const { stdout } = await runProgram(['--input', '-', '--audit', join(makeFolder(), 'audit')], { input });
    expect(stdout).toContain('… and 2 more types');
    expect(stdout).not.toContain('t12 ');
  });

  test('that are no reports leave alerts, magnitudes and grades out of the tables, and one line says so', async () => {
    const args = ['--input', '-', '--audit', join(makeFolder(), 'audit')];
    const { stdout } = await runProgram(args, { input: orders });
    expect(stdout).toMatch(/^│ alerts +│ nothing to alert on: no report was handled +│$/m);
    expect(stdout.match(/alert/g)).toHaveLength(2);
    expect(stdout).not.toMatch(/magnitude|grade/);

    const mixed = await runProgram(args, { input: `${orders}\n${reportLine('r1')}` });
    expect(mixed.stdout).toMatch(/^│ alerts \(magnitude >= 4\.5\) +│ 0 +│$/m);
    expect(mixed.stdout).toMatch(/^│ key +│ handled │ alerts │ largest magnitude │$/m);
    expect(mixed.stdout).toContain('A 0, B 1, C 0, D 0');
    expect(mixed.stdout).not.toContain('nothing to alert on');
  });

  test('may be none at all, and then no table of types or keys is shown', async () => {
    const { code, stdout } = await runProgram(['--input', '-', '--audit', join(makeFolder(), 'audit')]);
    expect(code).toBe(0);
    expect(stdout.match(/^┌/gm)).toHaveLength(1);
    expect(stdout).not.toMatch(/dispatched|│ all|│ key/);
  });

  test('may have the same id, and each counts', async () => {
    const { summary } = await runForSummary(['--input', '-'], { input: reportLine('same').repeat(3) });
    expect([summary.handled, summary.audit.lines]).toEqual([3, 3]);
  });
});

describe('a report', () => {
  test.for([
    ['without magnitude', { mag: null }, 'Error: report r1 has no magnitude'],
    ['with a word for a magnitude', { mag: 'big' }, 'Error: report r1 has no magnitude'],
    ['without residual', { rms: undefined }, 'Error: report r1 has no residual (rms)'],
  ] as const)('%s is tried three times and given up, and the others are handled', async ([, properties, reason]) => {
    const input = reportLine('r0') + reportLine('r1', properties) + reportLine('r2');
    const { code, summary } = await runForSummary(['--input', '-'], { input });
    expect(code).toBe(0);
    expect(summary.deadLetters).toEqual([{ id: 'r1', attempts: 3, reason }]);
    expect(summary.retries).toEqual({ inPlace: 3, redelivered: 2, total: 5 });
    expect([summary.handled, summary.accounted]).toEqual([2, 3]);
  });

  test('of a type that the shipped week does not have is graded, and raises an alert, too', async () => {
    const input =
      reportLine('r0', { type: 'ice quake', mag: 4.5 }) + reportLine('r1', { type: 'ice quake', mag: null });
    const { summary } = await runForSummary(['--input', '-'], { input });
    expect([summary.alerts, summary.handled, summary.deadLettered]).toEqual([1, 1, 1]);
  });

  test('may be plain JSON with the type of a report', async () => {
    const input =
      '{"type":"earthquake","id":"e1","mag":5,"rms":0.1,"net":"me"}\n{"type":"earthquake","id":"e2","data":null}';
    const { summary } = await runForSummary(['--input', '-', '--key', 'net'], { input });
    expect(summary.strongest).toEqual({ id: 'e1', magnitude: 5, place: '' });
    expect(summary.deadLetters).toEqual([{ id: 'e2', attempts: 3, reason: 'Error: report e2 has no magnitude' }]);
  });
});

describe('dead letters', () => {
  const input = Array.from({ length: 7 }, (_, number) => reportLine(`r${number}`, { mag: null })).join('');

  test('are shown up to five, and the number of the others', async () => {
    const { stdout } = await runProgram(['--input', '-', '--audit', join(makeFolder(), 'audit')], { input });
    expect(stdout.match(/^ {2}r\d {2}3 attempts/gm)).toHaveLength(5);
    expect(stdout).toContain('  … and 2 more\n');
  });

  test('for which there is no room end the run, with every event accounted for', async () => {
    const queue = ['--queue', 'channel://?deadLetterCapacity=2'];
    const { code, summary, stderr } = await runForSummary(['--input', '-', ...queue], { input });
    expect(code).toBe(1);
    expect(stderr).toContain('error: Cannot keep a dead letter: all 2 places are taken (option deadLetterCapacity)\n');
    expect(summary).toMatchObject({ deadLettered: 2, left: 5, accounted: 7, expected: 7 });
  });
});

describe('a broken line', () => {
  const broken: readonly (readonly [what: string, line: string | Uint8Array, reason: string])[] = [
    ['that is no JSON', '{"type":', 'Cannot read the event: not JSON'],
    ['that is no object', '[1]', 'Cannot read the event: expected a JSON object with a type, got an array'],
    ['without a type', '{"id":"a"}', 'Cannot read the event: type must be a non-empty string, got undefined'],
    ['with a key that is none', '{"type":"a","key":{}}', 'Cannot read the event: key must be a string or a number'],
    [
      'with a feature without properties',
      '{"type":"Feature"}',
      'Cannot read the feature: properties must be an object',
    ],
    ['with a feature without a type', reportLine('a', { type: null }), 'properties.type must be a non-empty string'],
    ['with a network that is a number', reportLine('a', { net: 5 }), 'properties.net must be a string'],
    ['with a time in words', reportLine('a', { time: 'now' }), 'properties.time must be a number'],
    ['with many features', '{"type":"FeatureCollection","features":[]}', 'write one feature a line'],
    ['that is not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'not UTF-8'],
    ['that is too long', `"${'x'.repeat(2 ** 20)}"`, '1048578 bytes are more than the 1048576 allowed'],
  ];

  test.for(broken)('%s is told with its number and the reason, and the rest goes on', async ([, line, reason]) => {
    const input = makeFile(
      Buffer.concat([Buffer.from(`${reportLine('r1')}\n`), Buffer.from(line), Buffer.from(`\n${reportLine('r2')}`)]),
    );
    const { code, summary, stderr } = await runForSummary(['--input', input]);
    expect(code).toBe(1);
    expect(stderr).toContain('line 3: ');
    expect(stderr).toContain(reason);
    expect(stderr).toMatch(/^error: 1 line of the input could not be dispatched$/m);
    expect([summary.lines, summary.handled, summary.accounted]).toEqual([{ read: 3, broken: 1 }, 2, 2]);
  });

  test('is also one that the queue refuses', async () => {
    const input = reportLine('r1') + reportLine('r2', { place: 'x'.repeat(500) });
    const queue = ['--queue', 'channel://?isolation=copy&maxPayloadBytes=700'];
    const { code, summary, stderr } = await runForSummary(['--input', '-', ...queue], { input });
    expect([code, summary.handled, summary.lines.broken]).toEqual([1, 1, 1]);
    expect(stderr).toMatch(/^line 2: .* bytes are more than the 700 allowed$/m);
  });
});
