import { describe, expect, test } from 'vitest';
import type { HeldRecord } from '../src/held-partition.ts';
import type { IncomingRecord, OutgoingRecord } from '../src/kafka-driver.ts';
import { letterOf, readLetter } from '../src/letter.ts';
import { readBatches } from '../src/read-batches.ts';
import { encodeBatch } from '../src/record-batch.ts';

/** `record` as a broker gives it back. */
async function stored(record: OutgoingRecord): Promise<IncomingRecord> {
  const bytes = encodeBatch([record], { time: 5000, identity: { id: 7n, epoch: 1 }, sequence: 0 });
  const { records } = await readBatches({ bytes, from: 0, aborted: [], enoughBytes: Infinity });
  return records[0] as IncomingRecord;
}

const death = { reason: 'the shop is closed', attempts: 3, deadAt: 7000 };

/** Headers of which each is one of its own, whatever it is named. */
const headersOf = (entries: readonly (readonly [string, Buffer | string])[]): OutgoingRecord['headers'] =>
  Object.fromEntries(entries);

describe('a dead letter', () => {
  test('has the record as it was, also headers that are named as what every object has', async () => {
    const headers = headersOf([
      ['__proto__', Buffer.from('é')],
      ['constructor', 'c'],
      ['nq-__proto__', Buffer.from('é')],
      ['h', 'x'],
    ]);
    const record = await stored({ key: Buffer.from('k'), value: Buffer.from('v'), headers });
    const held = { record, origin: 't/0/3', partition: {} } as unknown as HeldRecord;
    const letter = readLetter(await stored(letterOf(held, 'g', death)), undefined);
    expect(letter.shown).toMatchObject({ attempts: 3, reason: 'the shop is closed', deadAt: 7000 });
    expect(letter.record).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('v') });
    const replayed = await stored(letter.record);
    expect(Object.entries(replayed.headers)).toEqual([
      ['__proto__', Buffer.from('é')],
      ['constructor', 'c'],
      ['h', 'x'],
    ]);
  });

  test.each(['', 'soon', '-1', '1e300', '9'.repeat(400), 'NaN'])(
    'of others that says the number "%s" is shown, with what is known of it',
    async (number) => {
      const headers = { 'nq-attempts': number, 'nq-dead-at': number };
      const { shown } = readLetter(await stored({ key: null, value: Buffer.from('v'), headers }), undefined);
      expect(shown).toMatchObject({ attempts: 0, deadAt: 5000, event: { type: 'nq.undecodable', time: 5000 } });
    },
  );
});
