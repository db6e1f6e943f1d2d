import { kafka } from 'nq-testbed';
import { runConformance } from '@nq/core/conformance';
import { config, kafkaHarness } from './support/kafka-harness.ts';
const only = process.argv.slice(2);
const report = await runConformance(
  kafkaHarness('Kafka', () => kafka({ provider: 'native', config })),
  {
    ...(only.length ? { only } : {}),
    onResult: (r: any) =>
      console.log(
        r.status,
        r.id,
        r.slug,
        r.durationMs | 0,
        String(r.reason).slice(0, 3000),
        r.status === 'FAIL' ? (r.history ?? []).filter((l: string) => /e8\b/.test(l)).join('\n') : '',
      ),
  } as never,
);
console.log(report.totals);
process.exit(0);
