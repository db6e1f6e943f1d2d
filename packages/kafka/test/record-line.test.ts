import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { OutgoingRecord } from '../src/kafka-driver.ts';
import type { PartitionProducer } from '../src/partition-producer.ts';
import { RecordLine } from '../src/record-line.ts';

const record = (text: string): OutgoingRecord => ({ key: null, value: Buffer.from(text), headers: {} });
const wanted = (): boolean => true;

/** A line whose requests are answered when the test says so. */
function newLine() {
  const asked: {
    readonly sent: readonly string[];
    readonly answer: (failures: readonly (Error | undefined)[]) => void;
  }[] = [];
  const producer: Pick<PartitionProducer, 'pushInParts' | 'close'> = {
    pushInParts: (records) =>
      new Promise((resolve) => {
        asked.push({ sent: records.map(({ value }) => String(value).slice(0, 5)), answer: resolve });
      }),
    close: () => {},
  };
  return { line: new RecordLine(producer as PartitionProducer), asked, sent: () => asked.map((one) => one.sent) };
}

describe('records that are written one by one', () => {
  test('go together with those of the same turn, and those that come meanwhile with the next request', async () => {
    const { line, asked, sent } = newLine();
    const ends = [line.add(record('a'), wanted), line.add(record('b'), wanted)];
    await nextTurn();
    ends.push(line.add(record('c'), wanted), line.add(record('d'), wanted));
    await nextTurn();
    expect(sent()).toEqual([['a', 'b']]);
    asked[0]?.answer([]);
    await nextTurn();
    expect(sent()).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    asked[1]?.answer([]);
    expect(await Promise.all(ends)).toEqual([true, true, true, true]);
  });

  test('fail one by one', async () => {
    const { line, asked } = newLine();
    const failure = new Error('too large');
    const ends = [line.add(record('a'), wanted), line.add(record('b'), wanted)];
    await nextTurn();
    asked[0]?.answer([failure, undefined]);
    expect(await Promise.allSettled(ends)).toEqual([
      { status: 'rejected', reason: failure },
      { status: 'fulfilled', value: true },
    ]);
  });

  test('are not written if nobody wants them any more when it is their turn', async () => {
    const { line, asked, sent } = newLine();
    const first = line.add(record('a'), wanted);
    await nextTurn();
    const ends = [line.add(record('b'), () => false), line.add(record('c'), wanted)];
    asked[0]?.answer([]);
    await nextTurn();
    asked[1]?.answer([]);
    expect(await Promise.all([first, ...ends])).toEqual([true, false, true]);
    expect(sent()).toEqual([['a'], ['c']]);
  });

  test('are no more in one request than fit, unless it is a single one', async () => {
    const { line, asked, sent } = newLine();
    const large = 'x'.repeat(300_000);
    for (const text of [`one${large}${large}`, `two${large}`, `six${large}`, 'ten'])
      void line.add(record(text), wanted);
    for (let request = 0; request < 3; request++) {
      await nextTurn();
      asked[request]?.answer([]);
    }
    expect(sent().map((texts) => texts.map((text) => text.slice(0, 3)))).toEqual([['one'], ['two'], ['six', 'ten']]);
  });

  test('that wait are not sent when the line is closed, and none is taken', async () => {
    const { line, asked, sent } = newLine();
    const first = line.add(record('a'), wanted);
    await nextTurn();
    const second = line.add(record('b'), wanted);
    line.close();
    await expect(second).rejects.toMatchObject({ code: 'NQ_CLOSED' });
    await expect(line.add(record('c'), wanted)).rejects.toMatchObject({ code: 'NQ_CLOSED' });
    asked[0]?.answer([]);
    expect(await first).toBe(true);
    await nextTurn();
    expect(sent()).toEqual([['a']]);
  });
});
