import { mergeConfig } from 'vitest/config';
import base from '../workspace/vitest.base.ts';

export default mergeConfig(base, {
  // Servers are started in tests and in hooks; what is waited for has a deadline of its own, which is shorter.
  test: { testTimeout: 150_000, hookTimeout: 150_000 },
});
