import type { Case, Group } from '../src/harness/case.ts';
import { formatNumber } from '../src/harness/format.ts';
import type { Report, Suite } from '../src/harness/report.ts';
import type { Sample } from '../src/harness/samples.ts';
import { evaluate, type Target } from '../src/harness/targets.ts';

const group: Group = {
  title: 'A group',
  about: 'Some cases.',
  columns: [{ heading: 'speed', keys: ['speed'], format: formatNumber }],
};

export function makeCase(name: string, extra: Partial<Case> = {}): Case {
  return { name, group, does: `What ${name} does.`, run: async () => ({ speed: 1 }), ...extra };
}

/** What a case read in rounds 1, 2, … */
export function samplesOf(name: string, node: string, speeds: readonly number[]): Sample[] {
  return speeds.map((speed, index) => ({ case: name, node, round: index + 1, readings: { speed } }));
}

export const speedOf = (name: string) => ({ case: name, reading: 'speed' });

/** A suite of two cases, and what a run on one Node has found. */
export function makeReport(
  targets: readonly Target[],
  samples: readonly Sample[],
): { readonly suite: Suite; readonly report: Report } {
  const suite: Suite = {
    name: 'made-up',
    title: 'Made up',
    description: 'Two cases.',
    docsFile: 'made-up.md',
    command: 'pnpm bench',
    method: ['By looking.', 'Twice.'],
    cases: [makeCase('ours'), makeCase('theirs')],
    targets,
    ours: [],
    peers: [],
  };
  const report: Report = {
    startedAt: '2026-01-02T03:04:05.000Z',
    seed: 7,
    rounds: 3,
    budget: { passMs: 1, passes: 1, warmUpMs: 1, loopMs: 1, heldEvents: 1 },
    machine: { cpu: 'a processor', cores: 2, memoryGb: 8, os: 'Linux 6.1' },
    nodes: [{ version: '20.19.0', v8: '11.3' }],
    packages: { ours: '1.2.3' },
    service: undefined,
    commit: undefined,
    samples,
    broken: [],
    verdicts: evaluate(targets, ['20.19.0'], samples),
  };
  return { suite, report };
}
