import Table from 'cli-table3';
import { alertMagnitude } from './events.ts';
import { formatCount, formatMs, formatNumberOf, printable } from './format.ts';
import type { Summary } from './summary.ts';

/** How many types and keys are shown: the user's own events may have any number of them. */
const shownRows = 12;

/** A summary for people: what came in, by whom, and what became of it. */
export function renderSummary(summary: Summary): string {
  const parts = [typesTable, keysTable, workersTable, runTable, deadLetterLines].map((render) => render(summary));
  return `${parts.filter(Boolean).join('\n')}\n`;
}

function typesTable(summary: Summary): string {
  const { types, dispatched, handled, alerts } = summary;
  const shown = columns([true, true, true, hasGraded(summary)]);
  const table = newTable(shown(['type', 'dispatched', 'handled', 'alerts']));
  for (const one of types.slice(0, shownRows)) {
    const counts = [one.dispatched, one.handled, one.alerts].map(formatCount);
    table.push(shown([printable(one.type), ...counts]));
  }
  if (types.length > shownRows) table.push(shown([more(types.length, 'type'), '', '', '']));
  table.push(shown(['all', ...[dispatched, handled, alerts].map(formatCount)]));
  return types.length === 0 ? '' : table.toString();
}

function keysTable(summary: Summary): string {
  const { keys } = summary;
  const hasMagnitude = keys.some(({ largestMagnitude }) => largestMagnitude !== undefined);
  const shown = columns([true, true, hasGraded(summary), hasMagnitude]);
  const table = newTable(shown(['key', 'handled', 'alerts', 'largest magnitude']));
  for (const { key, handled, alerts, largestMagnitude } of keys.slice(0, shownRows)) {
    const name = key === '' ? '(none)' : printable(key);
    table.push(shown([name, formatCount(handled), formatCount(alerts), `${largestMagnitude ?? ''}`]));
  }
  if (keys.length > shownRows) table.push(shown([more(keys.length, 'key'), '', '', '']));
  return keys.length === 0 ? '' : table.toString();
}

function workersTable({ workers }: Summary): string {
  const head = ['worker', 'process', 'handled', 'time in queue', 'end'];
  const table = new Table({ head, style: plain, colAligns: ['right', 'right', 'right', 'left', 'left'] });
  for (const { number, pid, handled, timeInQueueMs, end } of workers) {
    const time = timeInQueueMs === undefined ? 'not told' : quantiles(timeInQueueMs);
    table.push([`${number}`, `${pid ?? ''}`, formatCount(handled), time, end]);
  }
  return workers.length === 0 ? '' : table.toString();
}

function quantiles({ p50, p99 }: { readonly p50: number; readonly p99: number }): string {
  return `p50 ${formatMs(p50)}, p99 ${formatMs(p99)}`;
}

/** Whether a report was among the handled events. Without one there are no alerts and no grades to show. */
function hasGraded({ grades }: Summary): boolean {
  return Object.values(grades).some((count) => count > 0);
}

function runTable(summary: Summary): string {
  const { lines, found, handled, duplicates, deadLettered, left, accounted, expected } = summary;
  const { alerts, strongest, grades, failed, retries, timeInQueueMs, elapsedMs, stop, audit } = summary;
  const table = new Table({ style: plain, colAligns: ['left', 'left'] });
  const row = (name: string, text: string): void => void table.push([name, text]);

  row('lines read', `${formatCount(lines.read)} (${formatCount(lines.broken)} broken)`);
  if (found > 0) row('found in the queue', formatCount(found));
  row('handled', formatCount(handled));
  if (summary.workers.length > 0) row('duplicates', `${formatCount(duplicates)} handled again, and counted once`);
  row('dead letters', formatCount(deadLettered));
  if (left > 0) row('left', formatCount(left));
  row('accounted for', `${formatCount(accounted)} of ${formatCount(expected)}`);
  if (hasGraded(summary)) {
    row(`alerts (magnitude >= ${alertMagnitude})`, formatCount(alerts));
    if (strongest !== undefined) {
      row('strongest', `${strongest.magnitude}, ${printable(strongest.place)} (${printable(strongest.id)})`);
    }
    const counts = Object.entries(grades).map(([grade, count]) => `${grade} ${formatCount(count)}`);
    row('solutions by grade', counts.join(', '));
  } else row('alerts', 'nothing to alert on: no report was handled');
  row('throughput', `${formatCount(Math.round(summary.eventsPerSecond))} events/s, ${formatMs(elapsedMs)} in all`);
  if (timeInQueueMs !== undefined) row('time in queue', quantiles(timeInQueueMs));
  const known = summary.workers.some(({ timeInQueueMs: told }) => told === undefined) ? ', as far as workers told' : '';
  row('failed handler runs', `${formatCount(failed)}${known}`);
  row(
    'retries',
    `${formatCount(retries.total)}: ${formatCount(retries.inPlace)} in place, ${formatCount(retries.redelivered)} redelivered${known}`,
  );
  const { completed, returned, abandoned, deadLetters } = stop;
  row('stop', `${completed} completed, ${returned} returned, ${abandoned} abandoned, ${deadLetters} dead letters`);
  row('audit log', `${formatNumberOf(audit.lines, 'line')} in ${audit.path}`);
  return table.toString();
}

function deadLetterLines({ deadLetters, deadLettered }: Summary): string {
  if (deadLetters.length === 0) return '';
  const shown = deadLetters.map(({ id, attempts, reason }) => {
    return `  ${printable(id)}  ${formatNumberOf(attempts, 'attempt')}  ${printable(reason, 200)}`;
  });
  const others = deadLettered - deadLetters.length;
  return ['dead letters', ...shown, ...(others > 0 ? [`  … and ${formatCount(others)} more`] : [])].join('\n');
}

/** No colours: the report may go to a file, and NO_COLOR has nothing to forbid. */
const plain = { head: [], border: [], compact: true };

function newTable(head: string[]): Table.Table {
  return new Table({ head, style: plain, colAligns: ['left', 'right', 'right', 'right'] });
}

/** Leaves out of a row the cells of the columns that are not shown. */
function columns(shown: readonly boolean[]): (cells: readonly string[]) => string[] {
  return (cells) => cells.filter((_, column) => shown[column]);
}

function more(count: number, noun: string): string {
  return `… and ${formatNumberOf(count - shownRows, `more ${noun}`)}`;
}
