import type { Capabilities } from '../../../src/index.ts';
import type { ConformanceHarness, Namespace } from '../../../src/conformance.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';

/** Queues whose capabilities, or whose harness, are wrong. */
export const manifestMutants: readonly Mutant[] = [
  {
    name: 'capabilities-incomplete',
    wrong: 'The capabilities lack a member.',
    queue(queue, alive) {
      const { fairness: _fairness, ...rest } = queue.capabilities;
      alive();
      return changed(queue, { capabilities: Object.freeze(rest) as Capabilities });
    },
  },
  {
    name: 'capabilities-vary',
    wrong: 'The capabilities are read from the backend and change as it is used.',
    queue(queue, alive) {
      let { capabilities } = queue;
      return changed(queue, {
        get capabilities() {
          return capabilities;
        },
        async push(event, options) {
          await queue.push(event, options);
          alive();
          capabilities = Object.freeze({ ...capabilities, fairness: false });
        },
      });
    },
  },
  {
    name: 'capabilities-not-frozen',
    wrong: 'Anybody can change the capabilities.',
    queue(queue, alive) {
      alive();
      return changed(queue, { capabilities: { ...queue.capabilities } });
    },
  },
  {
    name: 'shared-namespace',
    wrong: 'Every namespace is the same queue.',
    harness(harness, alive) {
      let shared: Namespace | undefined;
      return {
        ...harness,
        async namespace(id) {
          if (shared !== undefined) alive();
          shared ??= await harness.namespace(id);
          return shared;
        },
      };
    },
  },
  {
    name: 'static-name',
    wrong: 'The name in the backend is made of the last part of the id only.',
    harness: (harness, alive) => byName(harness, alive, () => 'static'),
  },
  {
    name: 'leaking-dispose',
    wrong: 'dispose() leaves everything where it is.',
    harness: (harness, alive) => byName(harness, alive, (id) => id),
  },
  {
    name: 'local-only',
    wrong: 'Each connection has events of its own.',
    harness(harness, alive) {
      return {
        ...harness,
        async namespace(id) {
          const first = await harness.namespace(id);
          let opened = 0;
          return {
            ...first,
            async open(options) {
              if (opened++ === 0) return first.open(options);
              alive();
              return (await harness.namespace(`${id}/${opened}`)).open(options);
            },
          };
        },
      };
    },
  },
  {
    name: 'size-cached',
    wrong: 'size() is counted from what this connection has done.',
    queue(queue, alive) {
      let ready = 0;
      let inFlight = 0;
      return withDeliveries(
        changed(queue, {
          async push(event, options) {
            await queue.push(event, options);
            ready++;
          },
          async size() {
            alive();
            return { ready, inFlight, delayed: 0, oldestAgeMs: 0, exact: true };
          },
        }),
        (delivery) => {
          ready--;
          inFlight++;
          return changed(delivery, {
            async ack() {
              await delivery.ack();
              inFlight--;
            },
          });
        },
      );
    },
  },
  {
    name: 'silent-noop-rewind',
    wrong: 'rewind() resolves although it does nothing.',
    queue: (queue, alive) =>
      changed(queue, {
        async rewind() {
          alive();
        },
      }),
  },
  {
    name: 'silent-noop-delay',
    wrong: 'A delay that cannot be kept is ignored.',
    capabilities: { nackDelay: false },
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          async nack(options) {
            if (options?.delayMs !== undefined) alive();
            await delivery.nack({ ...options, delayMs: 0 });
          },
        }),
      ),
  },
  {
    name: 'silent-noop-dead-letter',
    wrong: 'An event that is given up is forgotten, because there is no place for dead letters.',
    capabilities: { deadLetter: false },
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          async nack(options) {
            if (options?.deadLetter !== true) return delivery.nack(options);
            alive();
            return delivery.ack();
          },
        }),
      ),
  },
  {
    name: 'silent-noop-extend',
    wrong: 'extend() resolves although the lease ends as before.',
    capabilities: { lease: { ms: 30_000, extend: false } },
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          async extend() {
            alive();
          },
        }),
      ),
  },
];

/** `harness`, with namespaces found by the name that `nameOf` makes of their id, and never disposed of. */
function byName(harness: ConformanceHarness, alive: () => void, nameOf: (id: string) => string): ConformanceHarness {
  const places = new Map<string, Namespace>();
  return {
    ...harness,
    async namespace(id) {
      const name = nameOf(id);
      const known = places.get(name);
      if (known !== undefined) alive();
      const place = known ?? { ...(await harness.namespace(id)), dispose() {} };
      places.set(name, place);
      return place;
    },
  };
}
