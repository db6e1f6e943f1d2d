import { mergeConfig } from 'vitest/config';
import base from '../workspace/vitest.base.ts';

// Most of the time these tests wait for a lease, a delay or a server that is away: more of them than there are cores do so
// at once.
export default mergeConfig(base, { test: { maxWorkers: 4 } });
