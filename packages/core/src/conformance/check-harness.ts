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
  checkKnown(action, name, subject, checks);
  for (const [member, check] of Object.entries<Check>(checks)) {
    check(action, `${name}.${member}`, (subject as Readonly<Record<string, unknown>>)[member]);
  }
}

/** What is misspelt must not be taken for what was left out. */
function checkKnown(action: string, name: string, subject: object, checks: Readonly<Record<string, Check>>): void {
  const prototype: unknown = Object.getPrototypeOf(subject);
  if (prototype !== Object.prototype && prototype !== null) {
    checkInstance(action, name, subject, checks);
    return;
  }
  const known = Object.keys(checks);
  const stranger = Object.keys(subject).find((member) => !known.includes(member));
  if (stranger === undefined) return;
  throw new TypeError(
    `${action}: unknown member ${JSON.stringify(stranger)} of ${name}; known are ${known.join(', ')}`,
  );
}

/** An instance of a class may have what it likes besides, unless that is called almost as what is missing, and could be it. */
function checkInstance(action: string, name: string, subject: object, checks: Readonly<Record<string, Check>>): void {
  const valueOf = (member: string): unknown => (subject as Readonly<Record<string, unknown>>)[member];
  const missing = Object.entries(checks).filter(([member]) => valueOf(member) === undefined);
  for (const stranger of memberNames(subject).filter((member) => !(member in checks))) {
    const [meant, check] = missing.find(([member]) => isNear(stranger.toLowerCase(), member.toLowerCase())) ?? [];
    if (check === undefined || !passes(check, valueOf(stranger))) continue;
    throw new TypeError(
      `${action}: unknown member ${JSON.stringify(stranger)} of ${name}: if it is not ${meant} misspelt, give it another name`,
    );
  }
}

function passes(check: Check, value: unknown): boolean {
  try {
    check('', '', value);
    return true;
  } catch {
    return false;
  }
}

/** The names of its own members and of those that its classes give it. */
function memberNames(subject: object): string[] {
  const names: string[] = [];
  for (let from = subject; from !== Object.prototype && from !== null; from = Object.getPrototypeOf(from) as object) {
    names.push(...Object.getOwnPropertyNames(from));
  }
  return names;
}

/** Whether they are the same but for one letter more, less or other, or for two that are exchanged. */
function isNear(a: string, b: string): boolean {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const [restOfA, restOfB] = [a.slice(at), b.slice(at)];
  return (
    restOfA.slice(1) === restOfB ||
    restOfA === restOfB.slice(1) ||
    restOfA.slice(1) === restOfB.slice(1) ||
    `${restOfA[1]}${restOfA[0]}${restOfA.slice(2)}` === restOfB
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
