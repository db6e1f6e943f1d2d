import { createQueue } from '../../src/index.ts';
import { testConformance } from '../../src/conformance/vitest.ts';
import { memoryDriver } from '../../src/testing.ts';

// On the clock of this machine: what is left is seen as it is in a real process.
testConformance(
  {
    name: 'createQueue(memoryDriver())',
    namespace: () => ({
      open: ({ capacity, leaseMs }) => createQueue(memoryDriver({ capacity, leaseMs })),
      dispose() {},
    }),
  },
  { strict: true, claims: ['core', 'dispatcher'] },
);
