import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';

/** What a benchmark was asked to do. */
export interface Arguments {
  /** Paths of Nodes; empty for those that are found. */
  readonly node: readonly string[];
  /** `undefined` for the default. */
  readonly rounds: number | undefined;
  /** Cases whose name matches; `undefined` for all. */
  readonly only: RegExp | undefined;
  readonly quick: boolean;
  /** `undefined` for one made up now. */
  readonly seed: number | undefined;
  /** Where the JSON file goes; `undefined` for the default. */
  readonly json: string | undefined;
  readonly writeDocs: boolean;
}

/**
 * Reads the command line of a benchmark.
 *
 * @throws {CommanderError} for `--help`, with exit code 0, and for a wrong call; it has been told to the person by then.
 */
export function readArguments(argv: readonly string[], description: string): Arguments {
  const program = new Command('bench')
    .description(description)
    .option(
      '--node <path>',
      'a Node to run on; may be repeated (default: that of the host and of the workspace)',
      append,
    )
    .option('--rounds <n>', 'how often everything is measured (default: 7, or 2 with --quick)', readCount)
    .option('--only <pattern>', 'only cases whose name matches this regular expression', readPattern)
    .option('--quick', 'a few seconds that show that everything runs, on one Node; the numbers mean little', false)
    .option('--seed <n>', 'the seed of the order, as an earlier run printed it', readCount)
    .option('--json <file>', 'where all readings go (default: results/ of the benchmarks)', (file) => resolve(file))
    .option('--write-docs', 'write the results into docs/', false)
    .helpOption('-h, --help', 'print this')
    .showHelpAfterError('(--help tells all options)')
    .exitOverride()
    .parse(argv, { from: 'user' });
  const { node = [], rounds, only, quick, seed, json, writeDocs } = program.opts<Partial<Arguments>>();
  if (writeDocs === true && (quick === true || only !== undefined)) {
    program.error("error: option '--write-docs' needs a full run: it cannot be used with --quick or --only");
  }
  return { node, rounds, only, quick: quick === true, seed, json, writeDocs: writeDocs === true };
}

function append(path: string, paths: readonly string[] = []): readonly string[] {
  return [...paths, resolve(path)];
}

function readCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 2 ** 32 - 1)
    throw new InvalidArgumentError('It must be a whole number >= 1.');
  return count;
}

function readPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw new InvalidArgumentError('It must be a regular expression.');
  }
}
