import { channelQueue } from '@nq/channel';
import { testConformance } from '@nq/core/conformance/vitest';

// For the two ways in which a channel holds events, both on the clock of this machine. It keeps nothing and has no
// connection that could be cut, so it claims nothing about that.
for (const isolation of ['reference', 'copy'] as const) {
  testConformance(
    {
      name: `@nq/channel, isolation: '${isolation}'`,
      namespace: () => ({
        open: ({ capacity, leaseMs }) => channelQueue({ capacity, leaseMs, isolation }),
        dispose() {},
      }),
    },
    { strict: true, claims: ['core', 'dispatcher'] },
  );
}
