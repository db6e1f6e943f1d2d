import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe } from './check.ts';
import { NqError } from './errors.ts';
import type { MessageQueue } from './queue.ts';
import { type OptionKind, readOption, readParameter } from './queue-option.ts';

/** How a queue is named in a configuration file. */
export interface QueueConfig {
  /** A registered type, the rest of a package name `@nq/<type>`, or a package name. */
  readonly type: string;
  /** The capacity. @default what the type says */
  readonly bufferSize?: number | undefined;
  /** The options of the type, by their names or by the aliases that the type declares. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * What a package of a queue exports as `queueType`, or what is registered: how a queue is opened from configuration.
 * The options are data, so that every type is read with the same strictness.
 */
export interface QueueType {
  /** The word before `://`, and in `{ type }`. Lower-case letters, digits and dashes. */
  readonly type: string;
  /** The options that `extra` and a URL may name, besides `capacity`. */
  readonly options: Readonly<Record<string, OptionKind>>;
  /** Other names of options in `extra`, for example `queue_key` for `queueKey`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Whether a URL whose scheme has an `s` behind the type, such as `rediss://`, means the same over TLS. @default false */
  readonly secure?: boolean;
  /** The options that the user, host, port and path of a URL stand for. Without it a URL may have none of them. */
  readonly readAddress?: (url: URL) => Readonly<Record<string, unknown>>;
  /** Opens a queue. `options` holds known options of the declared kinds only. */
  readonly open: (options: Readonly<Record<string, unknown>>) => MessageQueue | Promise<MessageQueue>;
}

const registered = new Map<string, QueueType>();

/**
 * Makes `type` known to {@link openQueue}, before any package of that name.
 *
 * @returns a function that takes it back.
 * @throws {TypeError} if it is not a queue type. @throws {NqError} `NQ_CONFIG` if the name is taken.
 */
export function registerQueueType(type: QueueType): () => void {
  if (!isQueueType(type))
    throw new TypeError(`Cannot register: expected { type, options, open }, got ${describe(type)}`);
  if (!typeName.test(type.type))
    throw new TypeError(`Cannot register: type must match ${typeName}, got ${describe(type.type)}`);
  if (registered.has(type.type)) {
    throw new NqError('NQ_CONFIG', `Cannot register: the queue type "${type.type}" is registered already`);
  }
  registered.set(type.type, type);
  return () => {
    if (registered.get(type.type) === type) registered.delete(type.type);
  };
}

/**
 * Opens the queue that `config` names: a URL such as `channel://?capacity=100`, or `{ type, bufferSize, extra }`.
 *
 * @throws {NqError} `NQ_CONFIG` naming what is unknown or wrong; `NQ_NOT_INSTALLED` with the line that installs the
 * package. Nothing was opened. @throws {TypeError} {RangeError} for an option of the wrong type or out of range.
 */
export async function openQueue<Data = unknown>(config: string | QueueConfig): Promise<MessageQueue<Data>> {
  const { type, read } = parseConfig(config);
  const secure = typeof config === 'string' ? await findSecureType(type) : undefined;
  const queueType = secure ?? registered.get(type) ?? (await importQueueType(type));
  if (queueType === undefined) throw typeof config === 'string' ? strangeUrlError(config, type) : notInstalled(type);
  return (await queueType.open(read(queueType))) as MessageQueue<Data>;
}

/** The type that the scheme of a URL names with an `s` behind it; `undefined` if none does. */
async function findSecureType(scheme: string): Promise<QueueType | undefined> {
  const type = scheme.slice(0, -1);
  if (!scheme.endsWith('s') || !typeName.test(type) || registered.has(scheme)) return undefined;
  const found = registered.get(type) ?? (await importPackage(`@nq/${type}`))?.['queueType'];
  return isQueueType(found) && found.secure === true ? found : undefined;
}

/** What can be known of a configuration before its type is loaded. */
interface ParsedConfig {
  readonly type: string;
  /** The options, once the type says which there are. */
  readonly read: (queueType: QueueType) => Record<string, unknown>;
}

/** @throws as {@link openQueue}, for what is wrong whatever the type. */
export function parseConfig(config: string | QueueConfig): ParsedConfig {
  if (typeof config === 'string') {
    const url = parseUrl(config);
    return { type: url.protocol.slice(0, -1), read: (queueType) => readUrl(url, queueType) };
  }
  if (typeof config !== 'object' || config === null) {
    throw new TypeError(`${cannot}: expected a URL or { type, bufferSize, extra }, got ${describe(config)}`);
  }
  const { type, bufferSize, extra = {}, ...unknown } = config;
  const [other] = Object.keys(unknown);
  if (other !== undefined)
    throw new NqError(
      'NQ_CONFIG',
      `${cannot}: unknown member "${other}"; known are type, bufferSize (its capacity), extra (its options)`,
    );
  if (typeof type !== 'string' || type === '')
    throw new TypeError(`${cannot}: type must be a non-empty string, got ${describe(type)}`);
  if (typeof extra !== 'object' || extra === null || Array.isArray(extra)) {
    // Not shown: it may be a URL with a password.
    throw new TypeError(`${cannot}: extra must be an object`);
  }
  return { type, read: (queueType) => readExtra(queueType, bufferSize, extra) };
}

const cannot = 'Cannot open a queue';
const expectedUrl = 'expected a URL such as channel://?capacity=1000 or redis://localhost:6379?queueKey=orders';
const typeName = /^[a-z][a-z0-9-]*$/;
/** A bare package name, with or without a scope: never a path, a URL or a module of Node.js. */
const packageName = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // The text may hold a password, so it is not repeated.
    throw new NqError(
      'NQ_CONFIG',
      `${cannot}: ${expectedUrl}, got ${text.length} characters that are none; a user and a password in it are percent-encoded, as encodeURIComponent() does`,
    );
  }
}

function readUrl(url: URL, queueType: QueueType): Record<string, unknown> {
  const { type, options, readAddress } = queueType;
  const known: Readonly<Record<string, OptionKind>> = { capacity: 'count', ...options };
  if (url.hash !== '') throw new NqError('NQ_CONFIG', `${cannot}: a ${type} URL has no part after #`);
  if (readAddress === undefined && (url.host !== '' || !['', '/'].includes(url.pathname))) {
    throw new NqError('NQ_CONFIG', `${cannot}: a ${type} URL has no host and no path: write ${type}://?name=value`);
  }
  const read: Record<string, unknown> = { ...readAddress?.(url) };
  for (const [name, text] of url.searchParams) {
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw unknownName(type, 'URL parameter', name, known, (one) => one !== 'value');
    if (kind === 'value') {
      const elsewhere = 'give it in extra, or where the queue is opened in code';
      throw new NqError('NQ_CONFIG', `${cannot} of type ${type}: "${name}" has no form in a URL: ${elsewhere}`);
    }
    if (Object.hasOwn(read, name))
      throw new NqError('NQ_CONFIG', `${cannot}: "${name}" is given twice in the ${type} URL`);
    read[name] = readParameter(`${cannot} of type ${type}`, name, text, kind);
  }
  return read;
}

function readExtra(
  queueType: QueueType,
  bufferSize: unknown,
  extra: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { type, options, aliases = {} } = queueType;
  const known: Readonly<Record<string, OptionKind>> = { capacity: 'count', ...options };
  const action = `${cannot} of type ${type}`;
  const read: Record<string, unknown> = {};
  if (bufferSize !== undefined) read['capacity'] = readOption(action, 'bufferSize', bufferSize, 'count');
  for (const [name, value] of Object.entries(extra)) {
    const option = Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
    const kind = Object.hasOwn(known, option) ? known[option] : undefined;
    if (kind === undefined) throw unknownName(type, 'member of extra', name, { ...known, ...aliases }, () => true);
    if (Object.hasOwn(read, option)) throw new NqError('NQ_CONFIG', `${action}: "${option}" is given twice`);
    read[option] = readOption(action, `extra.${name}`, value, kind);
  }
  return read;
}

function unknownName<Kind>(
  type: string,
  what: string,
  name: string,
  known: Readonly<Record<string, Kind>>,
  show: (kind: Kind) => boolean,
): NqError {
  const names = Object.keys(known).filter((one) => show(known[one] as Kind));
  return new NqError(
    'NQ_CONFIG',
    `${cannot} of type ${type}: unknown ${what} "${name}"; known are ${names.join(', ')}`,
  );
}

/** What the package of `type` exports; `undefined` if there is none. */
async function importQueueType(type: string): Promise<QueueType | undefined> {
  const names = typeName.test(type) ? [`@nq/${type}`, type] : [type];
  for (const name of names) {
    if (!packageName.test(name)) break;
    const module = await importPackage(name);
    if (module === undefined) continue;
    if (isQueueType(module['queueType'])) return module['queueType'];
    // Any package may be called like a type; only one that is asked for by its whole name has to be a queue.
    if (name === type && names.length > 1) break;
    throw new NqError('NQ_CONFIG', `${cannot}: the package ${name} is no nq queue, for it has no export queueType`);
  }
  if (!packageName.test(type)) {
    // Not repeated either: it may be a URL with a password, which goes in as a string and not as the type.
    const got = `${type.length} characters that are neither`;
    throw new NqError('NQ_CONFIG', `${cannot}: type must be a queue type or a package name, got ${got}`);
  }
  return undefined;
}

/** The error for a URL that begins with no type that is here: mostly it is a mistake, and seldom a package that is missing. */
function strangeUrlError(url: string, scheme: string): NqError {
  const here = `types here are ${typesHere().join(', ')}`;
  // What is in front of a colon may be a user, and what is behind it a password.
  if (!/^[^:/]*:\/\//.test(url)) {
    return new NqError('NQ_CONFIG', `${cannot}: ${expectedUrl}, got one without type://; ${here}`);
  }
  const wrong = `${cannot}: ${expectedUrl}, got one of the type ${describe(scheme)}, which is not here; ${here}`;
  return new NqError('NQ_NOT_INSTALLED', `${wrong}. If it is a package, run: npm install ${packageOf(scheme)}`);
}

/** The packages of nq itself that may be here without being registered: all that are published, as a test makes sure. */
export const ownTypes: readonly string[] = ['channel', 'kafka', 'redis'];

/** Found without being loaded: a client library is not started to word an error. */
function typesHere(): readonly string[] {
  const found = ownTypes.filter((type) => !filesOf(`@nq/${type}`, [import.meta.url, ...programs()]).next().done);
  const types = new Set([...registered.keys(), ...found]);
  return types.size === 0 ? ['none'] : [...types];
}

/** The module of package `name`; `undefined` if it is not installed. */
async function importPackage(name: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  for (const specifier of specifiers(name)) {
    try {
      return (await import(specifier)) as Readonly<Record<string, unknown>>;
    } catch (error) {
      const missing = missingPackage(error);
      if (missing === undefined) throw error;
      if (missing !== name) throw notInstalled(name, missing, error);
    }
  }
  return undefined;
}

/**
 * Where `name` is looked for: beside this package, and, because a strict package manager does not link it there, from
 * the program that runs and from the folder in which it runs.
 */
function* specifiers(name: string): Generator<string> {
  yield name;
  yield* filesOf(name, programs());
}

/** A file of the program that runs, and one of the folder in which it runs. */
function programs(): readonly (string | undefined)[] {
  return [process.argv[1], join(process.cwd(), 'package.json')];
}

/** The main files of the package `name`, as each of `places` finds it. */
function* filesOf(name: string, places: readonly (string | undefined)[]): Generator<string> {
  for (const from of places) {
    if (from === undefined || from === '') continue;
    try {
      yield pathToFileURL(resolveFrom(createRequire(from), name)).href;
    } catch {
      // Not there either.
    }
  }
}

/**
 * The file that `import` of `name` would load where `require` belongs to. `require.resolve` alone finds no package that
 * can only be imported, and the wrong file of one that has two.
 *
 * @throws if there is none.
 */
function resolveFrom(require: NodeJS.Require, name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    const manifest = join(folder, name, 'package.json');
    if (!existsSync(manifest)) continue;
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly exports?: unknown };
    const target = importTarget(exports);
    if (target !== undefined) return join(folder, name, target);
    break;
  }
  return require.resolve(name);
}

/** The conditions under which Node.js imports the main export of a package. */
const importConditions: ReadonlySet<string> = new Set(['.', 'node', 'import', 'module-sync', 'default']);

function importTarget(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  for (const [condition, target] of Object.entries(exports)) {
    const found = importConditions.has(condition) ? importTarget(target) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The package that `error` says is not installed; `undefined` if it says something else. */
function missingPackage(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined;
  const missing = /(?:package|module) '((?:@[^/']+\/)?[^/']+)/.exec(message)?.[1];
  // Not a package but a file of one: it is installed, and broken.
  return missing !== undefined && packageName.test(missing) ? missing : undefined;
}

function packageOf(type: string): string {
  return typeName.test(type) ? `@nq/${type}` : type;
}

function notInstalled(type: string, missing: string = packageOf(type), cause?: unknown): NqError {
  const options = cause === undefined ? {} : { cause };
  return new NqError(
    'NQ_NOT_INSTALLED',
    `${cannot} of type ${describe(type)}: it needs a package that is not here. Run: npm install ${missing}`,
    options,
  );
}

function isQueueType(value: unknown): value is QueueType {
  if (typeof value !== 'object' || value === null) return false;
  const { type, options, open } = value as Partial<QueueType>;
  return typeof type === 'string' && typeof options === 'object' && options !== null && typeof open === 'function';
}
