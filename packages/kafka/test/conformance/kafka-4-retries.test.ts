import { describeOn } from '../support/kafka-harness.ts';

// Everything that is given back with a delay goes there.
await describeOn('4.1.0', 'retries', { retryTopic: true, retryAfterMs: 1 });
