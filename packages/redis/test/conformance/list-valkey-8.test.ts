import { describeOn } from '../support/redis-harness.ts';

await describeOn('valkey-8', 'a list', {});
