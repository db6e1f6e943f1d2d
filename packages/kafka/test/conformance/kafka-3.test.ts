import { describeOn } from '../support/kafka-harness.ts';

await describeOn('3.9.1');
