import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ReturnedLease } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import type { Confirmations } from '../src/confirmations.ts';
import type { GivenUp } from '../src/given-up.ts';
import { HandedOut } from '../src/handed-out.ts';
import { type HandOut, HeldPartition, type HeldRecord } from '../src/held-partition.ts';
import { emptyNote } from '../src/partition-note.ts';
import { Returns } from '../src/returns.ts';

const leaseMs = 1000;

/** A promise that the test ends. */
function deferred<Value>() {
  let end: { readonly resolve: (value: Value) => void; readonly reject: (error: unknown) => void };
  const promise = new Promise<Value>((resolve, reject) => {
    end = { resolve, reject };
  });
  return { promise, resolve: (value: Value) => end.resolve(value), reject: (error: unknown) => end.reject(error) };
}

/** A record that is handed out, and what becomes of it when it is given back: writing and committing end as the test says. */
function scene() {
  const clock = virtualClock();
  const expired: HandOut[] = [];
  const out = new HandedOut({ clock, leaseMs, onExpired: (handOuts) => expired.push(...handOuts) });
  const partition = new HeldPartition({ topic: 't', partition: 0, order: 'key', position: 0, note: emptyNote });
  const sent = Buffer.alloc(100_000);
  const key = sent.subarray(0, 10);
  const headers = { raw: sent.subarray(10, 20), several: ['a', sent.subarray(20, 30)] };
  const record = { offset: 0, key, value: sent.subarray(30, 50), headers, time: 0, isBrokerTime: false, bytes: 50 };
  const handOut = out.begin(partition.add(record, 0) as HeldRecord);
  const commits: ReturnType<typeof deferred<boolean>>[] = [];
  const burials: ReturnType<typeof deferred<boolean>>[] = [];
  const next = <Value>(list: ReturnType<typeof deferred<Value>>[]): Promise<Value> => {
    const one = deferred<Value>();
    list.push(one);
    return one.promise;
  };
  const back: HeldRecord[] = [];
  const returns = new Returns({
    clock,
    out,
    confirmations: { of: () => next(commits), ofAck: () => next(commits) } as unknown as Confirmations,
    givenUp: { bury: () => next(burials) } as unknown as GivenUp,
    retries: undefined,
    onBack: (held) => back.push(held),
    complete: (one) => out.end(one),
  });
  const ask = async (changes: Partial<ReturnedLease>): Promise<boolean | Error | undefined> => {
    const [answer] = await returns.take([{ receipt: handOut, delayMs: 0, deadLetter: false, reason: '', ...changes }]);
    return answer;
  };
  return {
    clock,
    out,
    handOut,
    expired,
    commits,
    burials,
    back,
    sent,
    giveBack: () => ask({}),
    delay: () => ask({ delayMs: 10 }),
    bury: () => ask({ deadLetter: true }),
  };
}

describe('what is given back', () => {
  test('goes back once that is written down, and who asks meanwhile has the same answer', async () => {
    const { commits, back, out, giveBack } = scene();
    const answers = [giveBack(), giveBack()];
    await nextTurn();
    expect([commits.length, back.length]).toEqual([1, 0]);
    commits[0]?.resolve(true);
    expect(await Promise.all(answers)).toEqual([true, true]);
    expect([back.length, out.size]).toEqual([1, 0]);
    expect(await giveBack()).toBe(false);
  });

  test('keeps nothing alive of what was sent with it, if it is to wait', async () => {
    const { sent, handOut, commits, delay } = scene();
    const back = delay();
    await nextTurn();
    commits[0]?.resolve(true);
    expect(await back).toBe(true);
    const { record } = handOut.held;
    const { key, value, headers } = record;
    expect(record).toMatchObject({ offset: 0, bytes: 50, key: Buffer.alloc(10), value: Buffer.alloc(20) });
    expect(headers).toEqual({ raw: Buffer.alloc(10), several: ['a', Buffer.alloc(10)] });
    for (const bytes of [key, value, headers['raw'], headers['several']?.[1]])
      expect((bytes as Buffer).buffer).not.toBe(sent.buffer);
  });

  test('is asked for again by who asked meanwhile, if it has failed', async () => {
    const { commits, back, giveBack } = scene();
    const answers = [giveBack(), giveBack()];
    await nextTurn();
    commits[0]?.reject(new Error('away'));
    await nextTurn();
    commits[1]?.resolve(true);
    expect(await Promise.all(answers)).toEqual([new Error('away'), true]);
    expect(back.length).toBe(1);
  });

  test('is not what was acknowledged, although nobody knew', async () => {
    const { handOut, out, giveBack, commits } = scene();
    out.end(handOut);
    handOut.doneIn = 1;
    expect(await giveBack()).toBe(false);
    expect(commits).toEqual([]);
  });
});

describe('what is put elsewhere', () => {
  test('is done once it is there, and asked again only whether that is committed', async () => {
    const { burials, commits, out, bury } = scene();
    const first = bury();
    await nextTurn();
    burials[0]?.resolve(true);
    await nextTurn();
    expect(out.size).toBe(0);
    commits[0]?.reject(new Error('unsure'));
    expect(await first).toEqual(new Error('unsure'));
    const second = bury();
    await nextTurn();
    commits[1]?.resolve(true);
    expect(await second).toBe(true);
    expect(burials.length).toBe(1);
  });

  test('is its holder’s as long as it is on its way, and no longer if it does not arrive', async () => {
    const { burials, clock, expired, out, bury } = scene();
    const answer = bury();
    await clock.advance(10 * leaseMs);
    expect([expired.length, out.size]).toEqual([0, 1]);
    burials[0]?.reject(new Error('away'));
    expect(await answer).toEqual(new Error('away'));
    await clock.advance(1);
    expect([expired.length, out.size]).toEqual([1, 0]);
  });

  test('keeps the rest of its lease if it does not arrive', async () => {
    const { burials, clock, expired, bury } = scene();
    const answer = bury();
    await clock.advance(leaseMs / 2);
    burials[0]?.reject(new Error('away'));
    await answer;
    await clock.advance(leaseMs / 2 - 1);
    expect(expired).toEqual([]);
    await clock.advance(1);
    expect(expired.length).toBe(1);
  });

  test('is not done if nobody wanted it any more', async () => {
    const { burials, out, bury } = scene();
    const answer = bury();
    await nextTurn();
    burials[0]?.resolve(false);
    expect(await answer).toBe(false);
    expect(out.size).toBe(1);
  });
});
