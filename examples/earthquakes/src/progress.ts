import { MultiBar, Presets } from 'cli-progress';
import { formatCount } from './format.ts';

/** Tells on stderr how far the program is: as a bar on a terminal, as lines elsewhere. */
export interface Progress {
  /** `dispatched` events have been dispatched, out of all lines read so far. */
  update(lines: number, dispatched: number): void;
  /** Says something in between. */
  say(text: string): void;
  /** Nothing more will be said. */
  end(): void;
}

/** What is written to: `process.stderr`, or what stands for it. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/**
 * @param total how many lines there are, where it is known. A bar needs it; nobody watches one in CI, and a terminal that
 * cannot move its cursor cannot show one.
 */
export function createProgress(stream: ProgressStream, total: number | undefined, env: NodeJS.ProcessEnv): Progress {
  const canShowBar = stream.isTTY === true && !env['CI'] && env['TERM'] !== 'dumb';
  return canShowBar && total !== undefined && total > 0 ? barProgress(stream, total) : plainProgress(stream, total);
}

function barProgress(stream: ProgressStream, total: number): Progress {
  // No colours, so there is none to leave out for NO_COLOR; nothing of the terminal is changed that a second Ctrl-C would
  // leave changed; and short enough to be one line on a narrow one.
  const format = ' {bar} {percentage}% | dispatched {dispatched} of {all}';
  const options = { stream, format, barsize: 24, linewrap: true, hideCursor: false, gracefulExit: false };
  const bars = new MultiBar(options, Presets.shades_classic);
  const all = formatCount(total);
  const bar = bars.create(total, 0, { dispatched: '0', all });
  return {
    update: (lines, dispatched) => bar.update(Math.min(lines, total), { dispatched: formatCount(dispatched) }),
    say: (text) => bars.log(`${text}\n`),
    end: () => {
      // Writes what was said since the last time it was drawn.
      bars.update();
      bars.stop();
    },
  };
}

function plainProgress(stream: ProgressStream, total: number | undefined): Progress {
  const of = total === undefined ? '' : ` of ${formatCount(total)}`;
  let told = 0;
  let last = 0;
  const tell = (dispatched: number): void => {
    told = dispatched;
    stream.write(`dispatched ${formatCount(dispatched)}${of}\n`);
  };
  return {
    update: (_lines, dispatched) => {
      last = dispatched;
      if (dispatched !== told && dispatched % stepAt(dispatched) === 0) tell(dispatched);
    },
    say: (text) => void stream.write(`${text}\n`),
    end: () => {
      if (last !== told) tell(last);
    },
  };
}

/** Every 500 up to 10,000, every 5,000 up to 100,000, and so on: a long run does not fill the screen. */
function stepAt(count: number): number {
  return 500 * 10 ** Math.max(0, Math.floor(Math.log10(count / 1000)));
}
