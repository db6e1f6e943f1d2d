import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sqliteQueue } from '../src/sqlite-queue.ts';

// What the rules simulate, with processes that are real.
describe('several processes with one file', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sqlite-queue-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function start(program: string, ...args: readonly string[]): ChildProcess {
    const file = join(import.meta.dirname, program);
    return spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  async function idsOf(child: ChildProcess): Promise<string[]> {
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    return output.split('\n').filter((line) => line !== '');
  }

  test('open it at the same moment, and each event is handed out once', async () => {
    const path = join(folder, 'shared.db');
    const children = [1, 2, 3].map(() => idsOf(start('consumer.ts', path, '30000')));
    await using queue = sqliteQueue({ path });
    const counted = Array.from({ length: 300 }, (_, index) => ({ id: `event-${index}`, type: 'counted' }));
    const ends = children.map((_, index) => ({ id: `end-${index}`, type: 'end' }));
    for (const event of [...counted, ...ends]) await queue.push(event);
    const taken = (await Promise.all(children)).flat();
    assert.deepEqual(taken.toSorted(), [...counted, ...ends].map(({ id }) => id).toSorted());
    const { ready, inFlight, delayed } = await queue.size();
    assert.deepEqual({ ready, inFlight, delayed }, { ready: 0, inFlight: 0, delayed: 0 });
  });

  test('fill it to its capacity, and no further', async () => {
    const path = join(folder, 'full.db');
    const stored = (await Promise.all([1, 2, 3].map(() => idsOf(start('producer.ts', path, '200'))))).flat();
    assert.equal(stored.length, 200);
    await using queue = sqliteQueue({ path, capacity: 200 });
    assert.equal((await queue.size()).ready, 200);
    const deliveries = await queue.popMany(200);
    assert.deepEqual(deliveries.map(({ event }) => event.id).toSorted(), stored.toSorted());
  });

  test('get the event of one that was killed, once its lease is over', async () => {
    const path = join(folder, 'killed.db');
    await using queue = sqliteQueue({ path });
    await queue.push({ id: 'held', type: 'counted' });
    const child = start('consumer.ts', path, '1000', 'hold');
    assert.equal(String((await once(child.stdout as NodeJS.ReadableStream, 'data'))[0]).trim(), 'held');
    child.kill('SIGKILL');
    await once(child, 'close');
    const delivery = await queue.pop({ timeoutMs: 20_000 });
    assert.equal(delivery?.event.id, 'held');
    assert.equal(delivery.attempt, 2);
    await delivery.ack();
  });
});
