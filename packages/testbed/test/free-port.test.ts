import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePort } from '../src/free-port.ts';
import { freePorts } from './free-ports.ts';

test('freePort() hands out a port once, also to another process, while the one that has it lives', async () => {
  // Of 10,000: two draws of as many at random have 16 in common, one has 8 twice.
  const mine = await freePorts(400);
  expect(new Set(mine).size).toBe(400);
  const program = new URL('free-ports.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program, '400']);
  const theirs = JSON.parse(stdout) as number[];
  expect(theirs).toHaveLength(400);
  expect(theirs.filter((port) => mine.includes(port))).toEqual([]);
});

test('freePort() lies below the ports of outgoing connections', async () => {
  const port = await freePort(10_000);
  expect(port).toBeGreaterThanOrEqual(10_000);
  expect(port).toBeLessThan(20_000);
});
