import { describeOn } from '../support/redis-harness.ts';

await describeOn('redis-7', 'a stream', { mode: 'stream' });
