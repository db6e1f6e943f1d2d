import { describeOnEachServer } from './support/redis-harness.ts';

describeOnEachServer('a stream', { mode: 'stream' });
