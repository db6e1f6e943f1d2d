import { checkArray, checkClock, checkFunction, checkObject, describe } from '../check.ts';
import type { ConformanceHarness, Faults, Namespace, PayloadFactory, Timing, Waiver } from './harness.ts';
import { rules } from './rules.ts';

/** Looks at one member. @throws {TypeError} {RangeError} that names it if it is not as it should be. */
type Check = (action: string, name: string, value: unknown) => void;

/** A check for every member that there is: what is not among them is unknown. */
type Members<Subject> = Readonly<Record<keyof Subject, Check>>;

const waiverMembers: Members<Waiver> = {
  rule(action, name, value) {
    if (rules.some(({ id }) => id === value)) return;
    throw new RangeError(`${action}: ${name} must be the id of a rule, such as "3.10", got ${describe(value)}`);
  },
  issue: checkText,
  reason: checkText,
};

const timingMembers: Members<Timing> = {
  patienceMs: optional(checkPositive),
  quietMs: optional(checkPositive),
  closeMs: optional(checkPositive),
  reclaimMs: optional(checkPositive),
  longestLeaseMs: optional(checkPositive),
  startMs: optional(checkPositive),
  scale: optional(checkPositive),
};

const payloadMembers: Members<PayloadFactory<unknown>> = { make: checkFunction, equal: optional(checkFunction) };

const harnessMembers: Members<ConformanceHarness> = {
  name: checkText,
  namespace: checkFunction,
  payload: optional(members(payloadMembers)),
  timing: optional(members(timingMembers)),
  waivers: optional(checkWaivers),
  clock: optional((action, _name, value) => checkClock(action, value)),
  drive: optional(checkFunction),
  start: optional(checkFunction),
  stop: optional(checkFunction),
};

const faultsMembers: Members<Faults> = {
  cut: checkFunction,
  cutBeforeAnswer: checkFunction,
  heal: checkFunction,
  delay: checkFunction,
  restart: optional(checkFunction),
};

const namespaceMembers: Members<Namespace> = {
  open: checkFunction,
  faults: optional(members(faultsMembers)),
  crash: optional(checkFunction),
  fork: optional(checkFunction),
  inspect: optional(checkFunction),
  injectRaw: optional(checkFunction),
  dispose: checkFunction,
};

/** @throws {TypeError} {RangeError} that names the member of `harness` that is missing, unknown or not as it should be. */
export function checkHarness(action: string, harness: unknown): asserts harness is ConformanceHarness {
  checkMembers(action, 'harness', harness, harnessMembers);
}

/** The same for what `namespace()` of a harness has answered: a hook that is misspelt must not be taken for a missing one. */
export function checkNamespace(action: string, namespace: unknown): asserts namespace is Namespace {
  checkMembers(action, 'namespace()', namespace, namespaceMembers);
}

function members<Subject>(checks: Members<Subject>): Check {
  return (action, name, value) => checkMembers(action, name, value, checks);
}

function optional(check: Check): Check {
  return (action, name, value) => {
    if (value !== undefined) check(action, name, value);
  };
}

function checkMembers<Subject>(action: string, name: string, subject: unknown, checks: Members<Subject>): void {
  checkObject(action, name, subject);
  checkKnown(action, name, subject, Object.keys(checks));
  for (const [member, check] of Object.entries<Check>(checks)) {
    check(action, `${name}.${member}`, (subject as Readonly<Record<string, unknown>>)[member]);
  }
}

/** An instance of a class may have what it likes besides; what is misspelt stands in an object that somebody wrote down. */
function checkKnown(action: string, name: string, subject: object, known: readonly string[]): void {
  const prototype: unknown = Object.getPrototypeOf(subject);
  if (prototype !== Object.prototype && prototype !== null) return;
  const stranger = Object.keys(subject).find((member) => !known.includes(member));
  if (stranger === undefined) return;
  throw new TypeError(
    `${action}: unknown member ${JSON.stringify(stranger)} of ${name}; known are ${known.join(', ')}`,
  );
}

function checkWaivers(action: string, name: string, waivers: unknown): void {
  checkArray(action, name, waivers);
  const seen = new Set<string>();
  for (const [index, waiver] of waivers.entries()) {
    checkMembers(action, `${name}[${index}]`, waiver, waiverMembers);
    const { rule } = waiver as Waiver;
    if (seen.has(rule)) throw new RangeError(`${action}: ${name}[${index}].rule: ${rule} has a waiver already`);
    seen.add(rule);
  }
}

function checkText(action: string, name: string, value: unknown): void {
  if (typeof value === 'string' && value.trim() !== '') return;
  throw new TypeError(`${action}: ${name} must be a non-empty string, got ${describe(value)}`);
}

function checkPositive(action: string, name: string, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError(`${action}: ${name} must be a number, got ${describe(value)}`);
  if (!(value > 0 && value < Infinity)) throw new RangeError(`${action}: ${name} must be finite and > 0, got ${value}`);
}
