import type { Delivery, EventInput } from '../../../src/index.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';
import { closedError, never, wait, whereOpened } from './around.ts';

/** Wrong about what becomes of events when their queue is closed. */
export const closeKeepsMutants: readonly Mutant[] = [
  {
    name: 'drop-on-close',
    wrong: 'close() tidies up: what is still in the queue is removed.',
    queue(queue, alive) {
      let closed = false;
      return changed(queue, {
        async close(options) {
          let delivery = closed ? undefined : await queue.pop({ timeoutMs: 0 });
          closed = true;
          for (; delivery !== undefined; delivery = await queue.pop({ timeoutMs: 0 })) {
            alive();
            await delivery.ack();
          }
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'close-forgets-delayed',
    wrong: 'A delay is a timer in this process, which ends with the queue.',
    driver(driver, alive, { clock }) {
      let closed = false;
      return changed(driver, {
        async nack(returns) {
          const now = returns.filter(({ delayMs }) => delayMs === 0);
          for (const one of returns) {
            if (one.delayMs === 0) continue;
            clock.schedule(() => {
              if (closed) alive();
              else void driver.nack([{ ...one, delayMs: 0 }]);
            }, one.delayMs);
          }
          const answers = await driver.nack(now);
          return returns.map((one) => answers[now.indexOf(one)] ?? true);
        },
        async close() {
          closed = true;
          await driver.close();
        },
      });
    },
  },
  {
    name: 'close-drops-dead-letters',
    wrong: 'Dead letters are removed when the queue is closed.',
    queue(queue, alive) {
      let closed = false;
      return changed(queue, {
        async close(options) {
          if (!closed && (await queue.deadLetters.remove()) > 0) alive();
          closed = true;
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'abandoned-untold',
    wrong: 'A queue that keeps nothing does not say how many events are gone.',
    capabilities: { durable: 'none', multiInstance: false },
    queue: (queue, alive) =>
      changed(queue, {
        async close(options) {
          const report = await queue.close(options);
          if (report.abandoned > 0) alive();
          return { ...report, abandoned: 0 };
        },
      }),
  },
  {
    name: 'close-acks-in-flight',
    wrong: 'close() acknowledges what is unsettled, and calls it returned.',
    queue(queue, alive) {
      const open = new Set<Delivery>();
      return changed(
        withDeliveries(queue, (delivery) => {
          open.add(delivery);
          return delivery;
        }),
        {
          async close(options) {
            const unsettled = [...open];
            open.clear();
            const acks = await Promise.allSettled(unsettled.map((delivery) => delivery.ack()));
            const acknowledged = acks.filter(({ status }) => status === 'fulfilled').length;
            if (acknowledged > 0) alive();
            const report = await queue.close(options);
            return { ...report, returned: report.returned + acknowledged };
          },
        },
      );
    },
  },
  {
    name: 'close-keeps-in-flight',
    wrong: 'close() only ends the connection, and calls returned what comes back when its lease ends.',
    harness: (harness, alive) =>
      whereOpened(harness, () => (queue, place) => {
        const close = queue.close.bind(queue);
        return changed(queue, {
          async close(options) {
            await place.crash?.(queue);
            const { returned, abandoned, deadLetters } = await close(options);
            if (abandoned > 0) alive();
            return { returned: returned + abandoned, abandoned: 0, deadLetters };
          },
        });
      }),
  },
  {
    name: 'close-tells-nobody',
    wrong: 'The signal of a delivery that close() cuts off is not aborted.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) => {
        delivery.signal.addEventListener('abort', alive);
        return changed(delivery, { signal: new AbortController().signal });
      }),
  },
  {
    name: 'close-report-zero',
    wrong: 'The report never counts what was returned.',
    queue: (queue, alive) =>
      changed(queue, {
        async close(options) {
          const report = await queue.close(options);
          if (report.returned > 0) alive();
          return { ...report, returned: 0 };
        },
      }),
  },
  {
    name: 'drain-ignored',
    wrong: 'close() does not wait for deliveries, whatever drainMs says.',
    queue: (queue, alive) =>
      changed(queue, {
        close(options) {
          if (options?.drainMs !== undefined) alive();
          return queue.close();
        },
      }),
  },
  {
    name: 'drain-refuses-settling',
    wrong: 'From close() on, deliveries cannot be settled, not even those it waits for.',
    queue(queue, alive) {
      let closing = false;
      const noted = changed(queue, {
        close(options) {
          closing = true;
          return queue.close(options);
        },
      });
      return withDeliveries(noted, (delivery) =>
        changed(delivery, {
          async ack() {
            if (!closing) return delivery.ack();
            alive();
            throw closedError();
          },
        }),
      );
    },
  },
  {
    name: 'drain-waits-in-full',
    wrong: 'close() waits for all of its drainMs, although everything has been settled long before.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async close(options = {}) {
          const report = await queue.close(options);
          if (options.drainMs === undefined) return report;
          alive();
          await wait(clock, options.drainMs);
          return report;
        },
      }),
  },
  {
    name: 'close-loses-buffer',
    wrong: 'Pushes are gathered for 5 ms and confirmed before; close() does not write what has been gathered.',
    queue(queue, alive, { clock }) {
      let gathered: EventInput[] = [];
      let closing = false;
      return changed(queue, {
        async push(event, options) {
          if (closing) return queue.push(event, options);
          if (gathered.push(event) > 1) return;
          clock.schedule(() => {
            void queue.pushMany(gathered).catch(() => {});
            gathered = [];
          }, 5);
        },
        close(options) {
          if (gathered.length > 0) alive();
          gathered = [];
          closing = true;
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'close-denies-stored',
    wrong: 'A push that has been sent is told that the queue was closed, and stored.',
    delayMs: 10,
    queue(queue, alive) {
      const closing = new AbortController();
      return changed(queue, {
        push(event, options) {
          const stored = queue.push(event, options);
          return new Promise((resolve, reject) => {
            stored.then(resolve, reject);
            closing.signal.addEventListener('abort', () => {
              stored.then(alive, () => {});
              reject(closedError());
            });
          });
        },
        close(options) {
          closing.abort();
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'close-forgets-pushes',
    wrong: 'The answer to a push that was under way at close() is thrown away.',
    delayMs: 10,
    queue(queue, alive) {
      let closing = false;
      return changed(queue, {
        async push(event, options) {
          await queue.push(event, options);
          if (!closing) return;
          alive();
          return never();
        },
        close(options) {
          closing = true;
          return queue.close(options);
        },
      });
    },
  },
];
