import { changed, type Mutant, withDeliveries } from '../mutant.ts';

/** Queues that are wrong only after some orders of calls. */
export const modelMutants: readonly Mutant[] = [
  {
    name: 'stale-empty-flag',
    wrong: 'A connection that has given an event back believes once that the queue is empty.',
    queue(queue, alive) {
      let believesEmpty = false;
      const wrong = changed(queue, {
        async pop(options) {
          if (!believesEmpty) return queue.pop(options);
          believesEmpty = false;
          alive();
          return undefined;
        },
      });
      return withDeliveries(wrong, (delivery) =>
        changed(delivery, {
          async nack(options) {
            await delivery.nack(options);
            const { ready } = await queue.size();
            believesEmpty = ready === 1;
          },
        }),
      );
    },
  },
  {
    name: 'size-forgets-nacked',
    wrong: 'What a connection has given back is not counted until it is handed out again.',
    queue(queue, alive) {
      const returned = new Set<string>();
      const wrong = changed(queue, {
        async size() {
          const size = await queue.size();
          if (returned.size > 0) alive();
          return { ...size, ready: Math.max(0, size.ready - returned.size) };
        },
      });
      return withDeliveries(wrong, (delivery) => {
        returned.delete(delivery.event.id);
        return changed(delivery, {
          async nack(options) {
            await delivery.nack(options);
            returned.add(delivery.event.id);
          },
        });
      });
    },
  },
  {
    name: 'attempt-by-connection',
    wrong: 'Attempts are counted by each connection for itself.',
    driver(driver, alive) {
      const counted = new Map<string, number>();
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          return leases.map((lease) => {
            const attempt = (counted.get(lease.event.id) ?? 0) + 1;
            counted.set(lease.event.id, attempt);
            if (attempt !== lease.attempt) alive();
            return { ...lease, attempt };
          });
        },
      });
    },
  },
];
