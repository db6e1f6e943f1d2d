import { virtualClock } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import { HeldPartition, type HeldRecord } from '../src/held-partition.ts';
import { emptyNote } from '../src/partition-note.ts';
import { ReadyRecords } from '../src/ready-records.ts';

function scene() {
  const clock = virtualClock();
  const ready = new ReadyRecords(clock, () => {});
  const partitions = [0, 1].map(
    (partition) => new HeldPartition({ topic: 't', partition, order: 'none', position: 0, note: emptyNote }),
  ) as [HeldPartition, HeldPartition];
  const record = (partition: 0 | 1, offset: number): HeldRecord =>
    partitions[partition].add(
      { offset, key: null, value: null, headers: {}, time: 0, isBrokerTime: false, bytes: 1 },
      0,
    ) as HeldRecord;
  const takeAll = (): string[] => {
    const taken: string[] = [];
    for (let held = ready.take(); held !== undefined; held = ready.take()) {
      taken.push(`${held.partition.partition}/${held.record.offset}`);
    }
    return taken;
  };
  return { clock, ready, partitions, record, takeAll };
}

describe('records whose turn it is', () => {
  test('come in the order in which they were added, behind those that came back', () => {
    const { ready, record, takeAll } = scene();
    ready.add(record(0, 7));
    ready.add(record(1, 1));
    ready.giveBack([record(0, 8)]);
    expect(takeAll()).toEqual(['0/8', '0/7', '1/1']);
  });

  test('that came back are in the order of their offsets, but no partition goes before what came back earlier', () => {
    const { ready, record, takeAll } = scene();
    ready.giveBack([record(0, 900)]);
    ready.giveBack([record(0, 902), record(0, 904)]);
    ready.giveBack([record(0, 905)]);
    ready.take();
    ready.giveBack([record(1, 3)]);
    ready.giveBack([record(1, 4)]);
    expect(takeAll()).toEqual(['0/902', '0/904', '0/905', '1/3', '1/4']);
  });

  test('of a partition that is not ours any more are forgotten, whatever they wait for', async () => {
    const { clock, ready, partitions, record, takeAll } = scene();
    const delayed = [record(0, 1), record(1, 1)];
    for (const held of delayed) held.until = 100;
    ready.giveBack(delayed);
    ready.giveBack([record(0, 2), record(1, 2)]);
    for (const held of [record(0, 3), record(1, 3)]) ready.add(held);
    expect([ready.length, ready.delayed]).toEqual([4, 2]);
    partitions[0].isOurs = false;
    ready.forget(partitions[0]);
    ready.add(record(0, 4));
    expect([ready.length, ready.delayed]).toEqual([2, 1]);
    await clock.advance(100);
    expect(takeAll()).toEqual(['1/1', '1/2', '1/3']);
  });
});
