import { systemClock } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { StandingFailure } from '../src/standing-failure.ts';

const away = new KafkaFailure('away', 'nobody answers');

/** A failure that may stand for a second, and a clock that the test sets. */
function newFailure() {
  const time = { now: 0 };
  const warnings: string[] = [];
  const clock = { ...systemClock, now: () => time.now };
  const onWarning = (warning: string): void => void warnings.push(warning);
  return { time, warnings, standing: new StandingFailure({ clock, topic: 't', patienceMs: 1000, onWarning }) };
}

describe('a failure to read', () => {
  test('that stands for long is told once, and so is its end', () => {
    const { time, warnings, standing } = newFailure();
    const told = ['Nothing of t could be read for 1000 ms, and it is tried again: nobody answers', 't is read again'];
    for (time.now = 0; time.now < 1000; time.now += 100) standing.note(away);
    expect(warnings).toEqual([]);
    for (; time.now < 5000; time.now += 100) standing.note(away);
    expect(warnings).toEqual(told.slice(0, 1));
    // Whoever has left the group and comes back has read nothing yet.
    standing.begin();
    standing.note(away);
    expect(warnings).toEqual(told.slice(0, 1));
    standing.note(undefined);
    expect(warnings).toEqual(told);
    standing.note(away);
    expect(warnings).toEqual(told);
  });

  test('that has passed before is nothing to tell, and neither is one that pops are told', () => {
    const { time, warnings, standing } = newFailure();
    standing.note(away);
    standing.noteReading();
    time.now = 5000;
    standing.note(away);
    expect(warnings).toEqual([]);
    const refused = new KafkaFailure('refused', 'the user lacks Read');
    standing.note(refused);
    time.now = 10_000;
    standing.note(refused);
    expect(standing.final).toBe(refused);
    expect(warnings).toEqual([]);
  });
});
