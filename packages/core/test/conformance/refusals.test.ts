import { describe, expect, test } from 'vitest';
import {
  type ConformanceHarness,
  type ConformanceOptions,
  ConformanceSession,
  type Namespace,
  runConformance,
  simulatedHarness,
  type Waiver,
} from '../../src/conformance.ts';

/** What the kit says of a harness with these members besides those that it must have, or of options. */
async function refusal(members: object, options: object = {}): Promise<unknown> {
  const harness = { ...simulatedHarness(), ...members } as ConformanceHarness;
  return runConformance(harness, options as ConformanceOptions).then(
    () => 'nothing',
    (error: unknown) => error,
  );
}

const says = (text: string): string => `Cannot run the rules: ${text}`;

describe('a harness is refused, before anything happens, if', () => {
  test.for<[what: string, members: object, error: Error]>([
    ['it has no name', { name: '' }, new TypeError(says('harness.name must be a non-empty string, got ""'))],
    ['it cannot open a queue', { namespace: 5 }, new TypeError(says('harness.namespace must be a function, got 5'))],
    [
      'a member is misspelt',
      { timming: { patienceMs: 5 } },
      new TypeError(
        says(
          'unknown member "timming" of harness; known are name, namespace, payload, timing, waivers, clock, drive, start, stop',
        ),
      ),
    ],
    [
      'a time is misspelt',
      { timing: { patience: 5 } },
      new TypeError(
        says(
          'unknown member "patience" of harness.timing; known are patienceMs, quietMs, closeMs, reclaimMs, longestLeaseMs, startMs, scale',
        ),
      ),
    ],
    [
      'a time is no number',
      { timing: { quietMs: '60' } },
      new TypeError(says('harness.timing.quietMs must be a number, got "60"')),
    ],
    [
      'a time is none that can be waited for',
      { timing: { closeMs: Infinity } },
      new RangeError(says('harness.timing.closeMs must be finite and > 0, got Infinity')),
    ],
    [
      'the scale is 0',
      { timing: { scale: 0 } },
      new RangeError(says('harness.timing.scale must be finite and > 0, got 0')),
    ],
    ['the times are no object', { timing: 5 }, new TypeError(says('harness.timing must be an object, got 5'))],
    [
      'it makes no data',
      { payload: {} },
      new TypeError(says('harness.payload.make must be a function, got undefined')),
    ],
    [
      'a member of the payload is misspelt',
      { payload: { make: () => 1, equals: () => true } },
      new TypeError(says('unknown member "equals" of harness.payload; known are make, equal')),
    ],
    ['its clock is none', { clock: {} }, new TypeError(says('clock must be a Clock, got an object'))],
    ['it cannot be started', { start: true }, new TypeError(says('harness.start must be a function, got true'))],
  ])('%s', async ([, members, error]) => expect(await refusal(members)).toEqual(error));

  test('it is none', () => {
    const wrong = null as unknown as ConformanceHarness;
    expect(() => new ConformanceSession(wrong)).toThrow(new TypeError(says('harness must be an object, got null')));
  });

  class Place {
    readonly path = 'somewhere';
    readonly name = 'a queue';
    readonly namespace = simulatedHarness().namespace;
  }

  test('but an instance of a class may have what it likes besides', () => {
    class Harness extends Place {
      // Nothing is missing that looks like it.
      readonly names = [];
      readonly starting = true;
      // Nor could these be a function and a clock.
      readonly driver = {};
      lock(): void {}
      connect(): void {}
    }
    expect(() => new ConformanceSession(new Harness())).not.toThrow();
  });

  test('unless that could be a member that is missing', () => {
    class OtherCase extends Place {
      Start(): void {}
    }
    class OneMore extends Place {
      readonly timings = {};
    }
    class OneLess extends Place {
      readonly waivrs = [];
    }
    class Other extends Place {
      stob(): void {}
    }
    class Exchanged extends Place {
      get paylaod(): object {
        return { make: () => 1 };
      }
    }
    const refused = [
      new OtherCase(),
      new OneMore(),
      new OneLess(),
      new Other(),
      new (class extends Exchanged {})(),
    ].map((harness) => {
      try {
        return new ConformanceSession(harness).seed;
      } catch (error) {
        return (error as TypeError).message;
      }
    });
    const names = { Start: 'start', timings: 'timing', waivrs: 'waivers', stob: 'stop', paylaod: 'payload' };
    expect(refused).toEqual(
      Object.entries(names).map(([name, meant]) =>
        says(`unknown member "${name}" of harness: if it is not ${meant} misspelt, give it another name`),
      ),
    );
  });

  test('nor may its namespaces', async () => {
    const { namespace, ...rest } = simulatedHarness();
    class Namespaces {
      readonly open: Namespace['open'];
      readonly dispose: Namespace['dispose'];

      constructor({ open, dispose }: Namespace) {
        [this.open, this.dispose] = [open, dispose];
      }

      crsh(): void {}
    }
    const report = await runConformance(
      { ...rest, namespace: async (id) => new Namespaces(await namespace(id)) },
      { only: ['0.1'] },
    );
    expect(report.problems).toEqual([
      'opening the queue failed: Cannot run the rules: unknown member "crsh" of namespace(): if it is not crash misspelt, give it another name',
    ]);
  });
});

describe('a waiver is refused if', () => {
  const waiver: Waiver = { rule: '0.3', issue: 'https://example.org/1', reason: 'being mended' };

  test.for<[what: string, waivers: unknown, error: Error]>([
    ['it is not in an array', waiver, new TypeError(says('harness.waivers must be an array, got an object'))],
    ['it is no object', ['0.3'], new TypeError(says('harness.waivers[0] must be an object, got a string'))],
    [
      'there is no such rule',
      [waiver, { ...waiver, rule: '77.7' }],
      new RangeError(says('harness.waivers[1].rule must be the id of a rule, such as "3.10", got "77.7"')),
    ],
    [
      'it has no issue',
      [{ ...waiver, issue: undefined }],
      new TypeError(says('harness.waivers[0].issue must be a non-empty string, got undefined')),
    ],
    [
      'its reason is empty',
      [{ ...waiver, reason: ' ' }],
      new TypeError(says('harness.waivers[0].reason must be a non-empty string, got " "')),
    ],
    [
      'a member is misspelt',
      [{ ...waiver, isue: '' }],
      new TypeError(says('unknown member "isue" of harness.waivers[0]; known are rule, issue, reason')),
    ],
    [
      'its rule has another one',
      [waiver, { ...waiver, reason: 'twice' }],
      new RangeError(says('harness.waivers[1].rule: 0.3 has a waiver already')),
    ],
  ])('%s', async ([, waivers, error]) => expect(await refusal({ waivers })).toEqual(error));
});

describe('options are refused if', () => {
  test.for<[what: string, options: object, error: Error]>([
    [
      'one is misspelt',
      { sed: 1 },
      new TypeError(
        says('unknown option "sed"; known are only, tiers, claims, seed, strict, ruleLimitMs, dispatchers'),
      ),
    ],
    ['there is no such rule', { only: ['77.7'] }, new RangeError(says('there is no rule "77.7"'))],
    [
      'there is no such tier',
      { tiers: ['quick'] },
      new RangeError(says('tiers must be one of smoke, standard, faults, stress, got "quick"')),
    ],
    ['the tiers are no array', { tiers: 'smoke' }, new TypeError(says('tiers must be an array, got a string'))],
    ...['only', 'tiers', 'claims'].map((name): [string, object, Error] => [
      `${name} is empty`,
      { [name]: [] },
      new RangeError(says(`${name} must not be empty, for nothing would be run`)),
    ]),
    [
      'no rule is left',
      { tiers: ['smoke'], claims: ['resilient'] },
      new RangeError(says('no rule is of the tiers smoke and of the claims resilient; nothing would be run')),
    ],
    ['the seed is no number', { seed: 'x' }, new TypeError(says('seed must be a number, got "x"'))],
    [
      'strict is neither true nor false',
      { strict: 'yes' },
      new TypeError(says('strict must be true or false, got "yes"')),
    ],
    ['the limit is no number', { ruleLimitMs: '5' }, new TypeError(says('ruleLimitMs must be a number, got "5"'))],
    [
      'dispatchers are made by nobody',
      { dispatchers: {} },
      new TypeError(says('dispatchers must be a function, got an object')),
    ],
  ])('%s', async ([, options, error]) => expect(await refusal({}, options)).toEqual(error));

  test('but a rule that is named twice is run once', () => {
    const { rules } = new ConformanceSession(simulatedHarness(), { only: ['0.3', 'connections-share'] });
    expect(rules.map(({ id }) => id)).toEqual(['0.3']);
  });
});
