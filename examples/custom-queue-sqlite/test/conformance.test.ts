import { testConformance } from '@nq/core/conformance/node-test';
import { sqliteHarness } from './harness.ts';

testConformance(sqliteHarness(), { strict: true, reportFolder: 'test-results' });
