import { describeOn } from '../support/kafka-harness.ts';

// Everything that is given back with a delay goes there. By itself, for rule 7.9 is not always kept: whoever has not read all
// of the retry topic yet, such as after a rebalance, counts a delay by its own clock (docs/kafka.md, Retries).
await describeOn('4.1.0', 'retries', { retryTopic: true, retryAfterMs: 1 });
