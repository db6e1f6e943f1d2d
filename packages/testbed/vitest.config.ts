import { mergeConfig } from 'vitest/config';
import base from '../workspace/vitest.base.ts';

export default mergeConfig(base, {
  // Servers are started in tests too.
  test: { testTimeout: 150_000 },
});
