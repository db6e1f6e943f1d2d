import { describeOnEachServer } from './support/redis-harness.ts';

describeOnEachServer('a list', {});
