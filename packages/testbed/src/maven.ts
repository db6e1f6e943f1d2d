import { findProgram, runProgram } from './find-program.ts';

/** How long a download may take, in milliseconds. */
const timeoutMs = 300_000;

const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';

/**
 * Runs a goal of Maven's plugin for dependencies, with these properties, in a folder that is not of this repository: where
 * it runs it notes what it has unpacked, and does not do it again.
 *
 * @throws {Error} in one line, if there is no `mvn` on PATH or it fails.
 */
export async function mavenDependency(
  folder: string,
  goal: string,
  properties: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<void> {
  const mvn = await findProgram('mvn');
  if (mvn === undefined) throw new Error('there is no mvn on PATH');
  const defined = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
  try {
    await runProgram(mvn, ['-q', '-B', ...args, `${plugin}:${goal}`, ...defined], { timeoutMs, cwd: folder });
  } catch (error) {
    // The first line that it marks as an error says what is wrong; the next hundred do not.
    const said = /^\[ERROR\] (.*)$/m.exec((error as Error).message)?.[1] ?? (error as Error).message.split('\n')[1];
    throw new Error(`mvn failed: ${said}`, { cause: error });
  }
}
