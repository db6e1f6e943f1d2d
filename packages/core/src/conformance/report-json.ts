import type { ConformanceReport } from './report.ts';

/** The report as JSON, as `conformance-report.schema.json` of this package describes it. What has no limit is `null`. */
export function reportToJson(report: ConformanceReport): string {
  return `${JSON.stringify(report, (_name, value: unknown) => (value === Infinity ? null : value), 2)}\n`;
}
