import { describeOn } from '../support/redis-harness.ts';

await describeOn('redis-8', 'a list', {});
