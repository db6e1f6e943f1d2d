import { describeOn } from '../support/kafka-harness.ts';

await describeOn('4.1.0');
