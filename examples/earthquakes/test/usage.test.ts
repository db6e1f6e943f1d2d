import { chmodSync, closeSync, existsSync, linkSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeFile, makeFolder, reportLine, runForSummary, runProgram } from './run-program.ts';

describe('--help', () => {
  test('tells all options, the input, the retries and the exit codes on stdout', async () => {
    const { code, stdout, stderr } = await runProgram(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const option of ['--input', '--queue', '--workers', '--processes', '--key', '--audit', '--json', '--help']) {
      expect(stdout).toContain(`${option} `);
    }
    expect(stdout).toContain('channel://?capacity=1000');
    expect(stdout).toContain('1 more run per hand-out, after at most 10 ms');
    expect(stdout).toContain('3 hand-outs in all, again after at most 50 and 100 ms');
    expect(stdout).toContain('130, 143');
    expect(stdout).toContain('its extension partitionkey becomes');
  });
});

describe('a wrong call', () => {
  const wrong: readonly (readonly [args: string, message: string])[] = [
    ['--workers 0', 'must be a whole number >= 1'],
    ['--workers 2.5', 'must be a whole number >= 1'],
    ['--workers many', 'must be a whole number >= 1'],
    ['--workers -1', 'must be a whole number >= 1'],
    ['--speed 5', "unknown option '--speed'"],
    ['my.ndjson', 'too many arguments'],
    ['--input', "option '--input <file>' argument missing"],
    ['--queue nonsense', 'Cannot open a queue: expected a URL such as channel://?capacity=1000'],
    ['--queue channel://?capcity=5', 'unknown URL parameter "capcity"; known are capacity'],
    ['--queue channel://?capacity=-5', 'capacity must be a whole number >= 0, got -5'],
    ['--queue channel://?isolation=none', 'isolation must be one of reference, copy'],
    ['--queue {"type":', 'Cannot read --queue: it begins as JSON and is none'],
    ['--queue {"type":5}', 'type must be a non-empty string'],
    ['--queue {"type":"channel","size":5}', 'unknown member "size"; known are type, bufferSize'],
    ['--queue {"type":"channel","extra":{"addr":""}}', 'unknown member of extra "addr"'],
    ['--processes 0', 'must be a whole number >= 1'],
    [
      '--queue nosuchqueue://',
      'which is not here; types here are channel, kafka, redis. If it is a package, run: npm install @nq/nosuchqueue',
    ],
  ];

  test.for(wrong)('with %s ends with exit code 2 and says: %s', async ([args, message]) => {
    const { code, stdout, stderr } = await runProgram(args.split(' '));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('with a configuration that is no JSON shows nothing of it, for it may hold a password', async () => {
    const { stderr } = await runProgram(['--queue', '{"type":"redis","extra":{"password":"secret"}']);
    expect(stderr).toMatch(/^error: Cannot read --queue: .*\n$/);
    expect(stderr).not.toContain('secret');
  });

  test('that would write the audit log over the input ends with exit code 2, and the input is as before', async () => {
    const input = makeFile(reportLine('r1'));
    const { code, stderr } = await runProgram(['--input', input, '--audit', input]);
    expect([code, stderr]).toEqual([2, `error: Cannot write the audit log over the input ${input}\n`]);
    expect(readFileSync(input, 'utf8')).toBe(reportLine('r1'));
  });

  const names: readonly (readonly [what: string, nameOf: (input: string) => string])[] = [
    ['the file itself', (input) => input],
    ['a hard link to it', (input) => linked(linkSync, input)],
    ['a symbolic link to it', (input) => linked(symlinkSync, input)],
  ];

  test.for(names)('that would write it over %s ends like that, for standard input too', async ([, nameOf]) => {
    const input = makeFile(reportLine('r1'));
    const audit = nameOf(input);
    const stdin = openForTest(input);
    const refused = { code: 2, stdout: '', stderr: `error: Cannot write the audit log over the input ${audit}\n` };
    expect(await runProgram(['--input', input, '--audit', audit])).toEqual(refused);
    expect(await runProgram(['--input', '-', '--audit', audit], { stdin })).toEqual(refused);
    expect(readFileSync(input, 'utf8')).toBe(reportLine('r1'));
  });
});

function linked(link: (target: string, path: string) => void, target: string): string {
  const path = join(makeFolder(), 'link.ndjson');
  link(target, path);
  return path;
}

/** A descriptor of the file, closed when the test is over. */
function openForTest(path: string): number {
  const descriptor = openSync(path, 'r');
  onTestFinished(() => closeSync(descriptor));
  return descriptor;
}

describe('a file', () => {
  test.for(['--input', '--audit'])('that is a directory ends the program with one sentence: %s', async (option) => {
    const folder = makeFolder();
    const { code, stdout, stderr } = await runProgram([option, folder]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^error: Cannot (read|write the audit log) .*: it is a directory\n$/);
  });

  test('that does not exist ends the program with one sentence', async () => {
    const file = join(makeFolder(), 'missing.ndjson');
    const { code, stdout, stderr } = await runProgram(['--input', file]);
    expect([code, stdout, stderr]).toEqual([1, '', `error: Cannot read ${file}: there is no such file or folder\n`]);
  });

  // Nothing is forbidden to root, and Windows has no such modes.
  test.skipIf(process.getuid === undefined || process.getuid() === 0)(
    'that may not be read ends the program with one sentence',
    async () => {
      const file = makeFile('');
      chmodSync(file, 0o000);
      const { code, stderr } = await runProgram(['--input', file]);
      expect([code, stderr]).toEqual([1, `error: Cannot read ${file}: no permission\n`]);
    },
  );

  test.skipIf(!existsSync('/dev/full'))('that is full ends the run with one sentence, and a report', async () => {
    const { code, stdout, stderr } = await runProgram(['--json', '--audit', '/dev/full']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: Cannot write the audit log \/dev\/full: there is no space left$/m);
    const summary = JSON.parse(stdout);
    expect(summary.left).toBeGreaterThan(0);
    expect(summary).toMatchObject({ handled: 0, accounted: summary.expected });
  });

  test('that is there already is written anew, whatever standard input is', async () => {
    const audit = makeFile('before\n');
    const file = openForTest(makeFile(reportLine('r1')));
    for (const options of [{ stdin: file }, { input: reportLine('r1') }]) {
      const { code, summary } = await runForSummary(['--input', '-', '--audit', audit], options);
      expect([code, summary.audit.lines]).toEqual([0, 1]);
    }
    const { code, summary } = await runForSummary(['--input', '-', '--audit', audit], { stdin: 'ignore' });
    expect([code, summary.audit.lines]).toEqual([0, 0]);
  });

  test('with a relative path is looked for where the person is, whatever folder npm runs the program in', async () => {
    const input = makeFile(reportLine('r1'));
    const env = { INIT_CWD: dirname(input) };
    const args = ['--input', basename(input), '--audit', 'audit.ndjson'];
    const { summary } = await runForSummary(args, { cwd: makeFolder(), env });
    expect(summary.audit).toEqual({ path: join(dirname(input), 'audit.ndjson'), lines: 1 });
  });
});
