import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { readManifest, root } from './workspaces.mjs';

/** `pnpm@<version>`, from the one place that pins it. */
const pnpm = readManifest('.').packageManager;

const pnpmMissing = `npx was not found, and it is what fetches pnpm. It is part of npm: install Node.js with npm from https://nodejs.org, or npm by itself with your system's package manager.`;

/** What tools print when something outside the repository is wrong, and what a person can do about it. */
const knownCauses = [
  {
    sign: /SELF_SIGNED_CERT|UNABLE_TO_(?:GET_ISSUER|VERIFY)|CERT_UNTRUSTED|unable to (?:get|verify)[\w ]* certificate/i,
    advice:
      'The certificate of the package registry is not trusted here. Behind a proxy that inspects traffic, point NODE_EXTRA_CA_CERTS at its certificate.',
  },
  {
    sign: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|META_FETCH_FAIL|dns error|error sending request|network is unreachable/i,
    advice:
      'The package registry could not be reached. The first run needs the network (later ones do not): check the connection and any proxy (HTTPS_PROXY, `npm config get registry`), and try again.',
  },
  {
    sign: /OUTDATED_LOCKFILE|FROZEN_LOCKFILE/,
    advice: `pnpm-lock.yaml does not match the manifests. After a change to a package.json, run \`npx ${pnpm} install\` and commit the lock file.`,
  },
  { sign: /ENOSPC/, advice: 'The disk is full. Free some space and try again.' },
  { sign: /EACCES|EPERM|EROFS/, advice: 'A file could not be written. Check who owns this folder and npm’s cache.' },
];

/** A step that did not do its work: what a person should read, and what the tool said. */
export class StepFailed extends Error {
  /**
   * @param {string} message a sentence that says what failed
   * @param {string} [output] what the tool printed
   */
  constructor(message, output = '') {
    super(message);
    this.name = 'StepFailed';
    this.output = output;
  }
}

/**
 * Tells the person what is going on. On standard error, because standard output belongs to the result: it may be a
 * pipe.
 *
 * @param {string} text
 */
export function say(text) {
  process.stderr.write(text);
}

/**
 * Says what starts, does it, and says how long it took.
 *
 * @template T
 * @param {string} headline
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(headline, work) {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1);
  say(`${headline} … `);
  try {
    const result = await work();
    say(`${seconds()} s\n`);
    return result;
  } catch (error) {
    say(`failed after ${seconds()} s\n`);
    throw error;
  }
}

/**
 * Runs `main` and turns what it returns or throws into the exit code of this process. Nothing is cut off: the process
 * ends by itself once its output is written.
 *
 * @param {() => Promise<number>} main
 */
export async function exitWith(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    if (error.output !== '') say(`\n${error.output.trimEnd()}\n\n`);
    say(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Installs exactly what the lock file says. */
export async function install() {
  await step(`Installing packages with ${pnpm.replace('@', ' ')}`, async () => {
    const { code, output } = await runPnpm(['install', '--frozen-lockfile']);
    if (code !== 0) throw new StepFailed(explain('The packages could not be installed.', output), output);
  });
}

/**
 * Builds packages and whatever they depend on.
 *
 * @param {readonly string[]} names
 */
export async function build(names) {
  await step(`Building ${names.join(', ')}`, async () => {
    const { code, output } = await runTurbo(['build', ...names.map((name) => `--filter=${name}...`)]);
    if (code !== 0) throw new StepFailed('The build failed; what the compiler says is above.', output);
  });
}

/**
 * Runs a task with turbo, which knows the order and what has not changed since last time.
 *
 * @param {readonly string[]} args what follows `turbo run`
 */
export function runTurbo(args) {
  return runPnpm([
    'exec',
    'turbo',
    'run',
    ...args,
    '--output-logs=errors-only',
    '--log-prefix=none',
    '--log-order=grouped',
  ]);
}

/**
 * Runs the pinned pnpm, which npx fetches if need be: nothing has to be installed beforehand. Inside `pnpm exec` and
 * `pnpm run`, `node` is the one of the workspace's devDependencies.
 *
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number, output: string }>} all that was printed
 */
export async function runPnpm(args) {
  let output = '';
  const code = await run('npx', ['--yes', pnpm, ...args], {
    cwd: root,
    // Standard input is left alone: it may hold the example's input.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', TURBO_NO_UPDATE_NOTIFIER: '1' },
    // On Windows npx is a .cmd file, which only a shell runs. No argument here needs quoting.
    shell: process.platform === 'win32',
    onOutput: (text) => (output += text),
  });
  return { code, output };
}

/** @typedef {(text: string, stream: 'stdout' | 'stderr') => void} OnOutput */

/**
 * Runs a program to its end, with signals passed on, so that nothing outlives this process.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions & { onOutput?: OnOutput }} options
 * @returns {Promise<number>} its exit code, 128 + the signal's number if a signal ended it
 */
export function run(command, args, { onOutput, ...options }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    const forward = (/** @type {NodeJS.Signals} */ signal) => {
      // A terminal sends Ctrl-C to the child as well, and many programs take a second one as "now, at once".
      if (signal === 'SIGINT' && isTerminal()) return;
      child.kill(signal);
    };
    const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
    for (const signal of signals) process.on(signal, forward);
    const stopForwarding = () => {
      for (const signal of signals) process.off(signal, forward);
    };

    child.stdout?.setEncoding('utf8').on('data', (text) => onOutput?.(text, 'stdout'));
    child.stderr?.setEncoding('utf8').on('data', (text) => onOutput?.(text, 'stderr'));
    child.once('error', (error) => {
      stopForwarding();
      const missing = /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT';
      reject(new StepFailed(missing && command === 'npx' ? pnpmMissing : `${command} did not start: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      stopForwarding();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function isTerminal() {
  return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
}

/**
 * @param {string} sentence
 * @param {string} output
 */
function explain(sentence, output) {
  const cause = knownCauses.find(({ sign }) => sign.test(output));
  return cause === undefined ? sentence : `${sentence} ${cause.advice}`;
}
