import { describe, expect, test } from 'vitest';
import type { ConsumerGroup } from '../src/kafkajs/internals.ts';
import { MemberIdentity } from '../src/kafkajs/member-identity.ts';

/** What kafkajs knows of its group after a join, whether that came to anything or not. */
function group(generationId: number, { memberId = 'a', leads = true, coordinator = '1' } = {}): ConsumerGroup {
  return { generationId, memberId, isLeader: () => leads, coordinator: { nodeId: coordinator } } as never;
}

/** A member that was in the generation 7. */
function member(): MemberIdentity {
  const identity = new MemberIdentity();
  identity.noteJoin(group(7));
  return identity;
}

describe('a member that joins again', () => {
  test.each([
    ['has nothing of its own at first', new MemberIdentity(), group(1), false],
    ['keeps what it has where nothing has changed', member(), group(7), true],
    ['keeps what it has in the next generation', member(), group(8), true],
    ['has nothing of its own after one in which it was not', member(), group(9), false],
    ['has nothing of its own under another name', member(), group(8, { memberId: 'b' }), false],
  ])('%s', (_what, identity, joined, keeps) => {
    expect(identity.noteJoin(joined)).toBe(keeps);
    expect(identity.memberId).toBe(joined.memberId);
  });

  test('keeps what it has after generations in which it dealt out nothing', () => {
    const identity = member();
    identity.noteFailedJoin(group(8), 'moved');
    identity.noteFailedJoin(group(9), 'moved');
    expect(identity.noteJoin(group(10))).toBe(true);
  });

  test.each([
    [
      'another member dealt out',
      (identity: MemberIdentity) => identity.noteFailedJoin(group(8, { leads: false }), 'moved'),
    ],
    ['it may have dealt out', (identity: MemberIdentity) => identity.noteFailedJoin(group(8), 'away')],
    [
      'it may have dealt out before it was told that there is another one',
      (identity: MemberIdentity) => {
        identity.noteFailedJoin(group(8), 'away');
        identity.noteFailedJoin(group(8), 'moved');
      },
    ],
    [
      'it dealt out nothing, as far as is known since a connection was lost',
      (identity: MemberIdentity) => {
        identity.noteFailedJoin(group(8), 'moved');
        identity.noteFailedJoin(group(8), 'away');
      },
    ],
    [
      'it dealt out nothing, as another coordinator said',
      (identity: MemberIdentity) => identity.noteFailedJoin(group(8, { coordinator: '2' }), 'moved'),
    ],
  ])('has nothing of its own after a generation in which %s', (_what, passes) => {
    const identity = member();
    passes(identity);
    expect(identity.noteJoin(group(9))).toBe(false);
  });

  test('has nothing of its own once a join has failed under another name', () => {
    const identity = member();
    identity.noteFailedJoin(group(8, { memberId: 'b' }), 'moved');
    expect(identity.noteJoin(group(8, { memberId: 'b' }))).toBe(false);
  });

  test.each(['forget', 'forgetGenerations'] as const)('has nothing of its own after %s()', (forgets) => {
    const identity = member();
    identity.noteFailedJoin(group(8), 'moved');
    identity[forgets]();
    expect(identity.noteJoin(group(8))).toBe(false);
  });
});
