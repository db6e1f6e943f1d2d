/**
 * The conformance kit: one sentence after the other about what a queue must do, each with a way to find out whether yours
 * does. Needs no test runner.
 *
 * @module
 */
export {
  type ConformanceHarness,
  type Faults,
  type Inspection,
  type Namespace,
  type OpenOptions,
  type Peer,
  type PayloadFactory,
  type Timing,
  type Waiver,
} from './conformance/harness.ts';
export { type ConformanceOptions, type ConformanceProgress, runConformance } from './conformance/run-conformance.ts';
export {
  claimLevels,
  type ConformanceReport,
  type RuleResult,
  type RuleStatus,
  ruleStatuses,
} from './conformance/report.ts';
export {
  type Anomaly,
  type AnomalyKind,
  checkHistory,
  type Expectations,
  type HistoryCounts,
  type HistoryVerdict,
  showAnomaly,
} from './conformance/history/check-history.ts';
export {
  type CallOutcome,
  type CallRecord,
  type CutRecord,
  type EndRecord,
  type HandOut,
  type HistoryRecord,
  type PopRecord,
  type PushRecord,
  type SettleRecord,
  type Span,
} from './conformance/history/history.ts';
export { badgeText, formatFailure, formatLine, formatReport } from './conformance/format-report.ts';
export { reportToHtml } from './conformance/report-html.ts';
export { reportToJson } from './conformance/report-json.ts';
export { reportToMarkdown } from './conformance/report-markdown.ts';
export { writeReport } from './conformance/write-report.ts';
export {
  type ClaimLevel,
  type Hook,
  type Requirement,
  type Rule,
  type RuleLevel,
  type Tier,
} from './conformance/rule.ts';
export { serveQueue } from './conformance/peer/serve-queue.ts';
export { rules } from './conformance/rules.ts';
export { ConformanceSession, type SessionOptions } from './conformance/session.ts';
export { type Trial } from './conformance/trial.ts';
export {
  SimulatedBroker,
  type SimulatedBrokerOptions,
  type SimulatedConnection,
} from './conformance/simulator/simulated-broker.ts';
export {
  simulatedHarness,
  type SimulatedHarnessOptions,
  type SimulatedProcess,
} from './conformance/simulator/simulated-harness.ts';
