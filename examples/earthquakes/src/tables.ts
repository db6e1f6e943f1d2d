import Table from 'cli-table3';
import { alertMagnitude } from './events.ts';
import { formatCount, formatMs, formatNumberOf, printable } from './format.ts';
import type { Summary } from './summary.ts';

/** How many types and keys are shown: the user's own events may have any number of them. */
const shownRows = 12;

/** A summary for people: what came in, by whom, and what became of it. */
export function renderSummary(summary: Summary): string {
  return `${[typesTable(summary), keysTable(summary), runTable(summary), deadLetterLines(summary)].filter(Boolean).join('\n')}\n`;
}

function typesTable({ types, dispatched, handled, alerts }: Summary): string {
  const table = newTable(['type', 'dispatched', 'handled', 'alerts']);
  for (const one of types.slice(0, shownRows)) {
    table.push([printable(one.type), formatCount(one.dispatched), formatCount(one.handled), formatCount(one.alerts)]);
  }
  pushMore(table, types.length, 'type');
  table.push(['all', formatCount(dispatched), formatCount(handled), formatCount(alerts)]);
  return table.toString();
}

function keysTable({ keys }: Summary): string {
  const table = newTable(['key', 'handled', 'alerts', 'largest magnitude']);
  for (const { key, handled, alerts, largestMagnitude } of keys.slice(0, shownRows)) {
    const name = key === '' ? '(none)' : printable(key);
    table.push([name, formatCount(handled), formatCount(alerts), `${largestMagnitude ?? ''}`]);
  }
  pushMore(table, keys.length, 'key');
  return keys.length === 0 ? '' : table.toString();
}

function runTable(summary: Summary): string {
  const { lines, found, handled, deadLettered, left, accounted, expected } = summary;
  const { alerts, strongest, grades, failed, retries, timeInQueueMs, elapsedMs, stop, audit } = summary;
  const table = new Table({ style: plain, colAligns: ['left', 'left'] });
  const row = (name: string, text: string): void => void table.push([name, text]);

  row('lines read', `${formatCount(lines.read)} (${formatCount(lines.broken)} broken)`);
  if (found > 0) row('found in the queue', formatCount(found));
  row('handled', formatCount(handled));
  row('dead letters', formatCount(deadLettered));
  if (left > 0) row('left', formatCount(left));
  row('accounted for', `${formatCount(accounted)} of ${formatCount(expected)}`);
  row(`alerts (magnitude >= ${alertMagnitude})`, formatCount(alerts));
  if (strongest !== undefined) {
    row('strongest', `${strongest.magnitude}, ${printable(strongest.place)} (${printable(strongest.id)})`);
  }
  row(
    'solutions by grade',
    Object.entries(grades)
      .map(([grade, count]) => `${grade} ${formatCount(count)}`)
      .join(', '),
  );
  row('throughput', `${formatCount(Math.round(summary.eventsPerSecond))} events/s, ${formatMs(elapsedMs)} in all`);
  row('time in queue', `p50 ${formatMs(timeInQueueMs.p50)}, p99 ${formatMs(timeInQueueMs.p99)}`);
  row('failed handler runs', formatCount(failed));
  row(
    'retries',
    `${formatCount(retries.total)}: ${formatCount(retries.inPlace)} in place, ${formatCount(retries.redelivered)} redelivered`,
  );
  row('stop', `${stop.completed} completed, ${stop.returned} returned, ${stop.abandoned} abandoned`);
  row('audit log', `${formatNumberOf(audit.lines, 'line')} in ${audit.path}`);
  return table.toString();
}

function deadLetterLines({ deadLetters, deadLettered }: Summary): string {
  if (deadLetters.length === 0) return '';
  const shown = deadLetters.map(({ id, attempts, reason }) => {
    return `  ${printable(id)}  ${formatNumberOf(attempts, 'attempt')}  ${printable(reason, 200)}`;
  });
  const more = deadLettered - deadLetters.length;
  return ['dead letters', ...shown, ...(more > 0 ? [`  … and ${formatCount(more)} more`] : [])].join('\n');
}

/** No colours: the report may go to a file, and NO_COLOR has nothing to forbid. */
const plain = { head: [], border: [], compact: true };

function newTable(head: string[]): Table.Table {
  return new Table({ head, style: plain, colAligns: ['left', 'right', 'right', 'right'] });
}

function pushMore(table: Table.Table, count: number, noun: string): void {
  if (count > shownRows) table.push([`… and ${formatNumberOf(count - shownRows, `more ${noun}`)}`, '', '', '']);
}
