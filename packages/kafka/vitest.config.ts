import { mergeConfig } from 'vitest/config';
import base from '../workspace/vitest.base.ts';

// Each has brokers of its own, up to three of them, and sees how they are killed: more at once would see each other's work.
export default mergeConfig(base, {
  test: { maxWorkers: 3 },
});
