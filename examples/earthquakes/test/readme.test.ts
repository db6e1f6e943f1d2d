import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { redisOffer, until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { firstHalf, kill, ProcessesRun, secondHalf } from './processes.ts';
import { makeFolder, runProgram } from './run-program.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
/** The blocks that are no commands: what a run prints, one with a worker that is killed, and `--help`. */
const [report = '', progress = '', killed = '', help = ''] = [...readme.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
  .filter((match) => match[1] === '')
  .map((match) => match[2] ?? '');

/** What is the same in every run, in the same order: neither times nor paths, nor the widths they lead to. */
function constant(text: string): string[] {
  const lines = text.split('\n').filter((line) => !/[┌├└]|throughput|time in queue|audit log/.test(line));
  return lines.map((line) => line.replace(/[│ ]+/g, ' ').trim()).sort();
}

/** What is the same in every run of several processes: no counts of one of them, nor of what happened to be in hand. */
function constantOfProcesses(text: string): string[] {
  const rows = constant(text).map((row) => row.replace(/^(\d) .*(ended|killed.*)$/, '$1 … $2'));
  return (
    rows
      // Whether the last answers came before a worker was told to end is chance, too.
      .filter((row) => !/^(failed|retries|stop)/.test(row))
      .map((row) => row.replace(/\d+(?= handled again|\)|$)/g, '#').replace(/process \d+/g, 'process #'))
  );
}

const redis = await redisOffer();

describe('the README', () => {
  test('shows what a run prints', async () => {
    const { stdout, stderr } = await runProgram(['--audit', join(makeFolder(), 'audit.ndjson')]);
    expect(constant(report)).toEqual(constant(stderr + stdout));
  });

  // A server that is not ours cannot be told what it is to keep, and the README shows no warning about that.
  test.skipIf(redis.missing !== undefined || !redis.ours)(
    'shows what a run of several processes prints of which one is killed',
    async () => {
      await using server = await redis.start({ config: ['appendonly yes'] });
      const queue = `${server.url}/0?queueKey=notification:events&capacity=5000&leaseMs=2000`;
      const run = new ProcessesRun(['--processes', '3', '--queue', queue]);
      const [first, second, third] = (await run.pids(3)) as [number, number, number];
      // So that it is worker 2 that has work.
      for (const pid of [first, third]) process.kill(pid, 'SIGSTOP');
      run.child.stdin.write(firstHalf);
      await until('worker 2 to have handled some', () => run.records(2).length >= 100);
      kill(second);
      for (const pid of [first, third]) process.kill(pid, 'SIGCONT');
      run.child.stdin.end(secondHalf);
      const { stdout, stderr } = await run.ended;
      expect(constantOfProcesses(progress)).toEqual(constantOfProcesses(stderr));
      expect(constantOfProcesses(stdout)).toEqual(expect.arrayContaining(constantOfProcesses(killed)));
    },
  );

  test('shows what --help prints', async () => {
    const { stdout } = await runProgram(['--help']);
    expect(help.trimEnd()).toBe(stdout.trimEnd());
  });
});
