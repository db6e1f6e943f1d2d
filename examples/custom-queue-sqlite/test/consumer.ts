// A process of its own: takes events of the file it is given, and prints the id of each, until it gets one of the type
// `end`. With `hold`, it takes one and keeps it until it is killed.
import { sqliteQueue } from '../src/sqlite-queue.ts';

const [path = '', leaseMs, hold] = process.argv.slice(2);
await using queue = sqliteQueue({ path, leaseMs: Number(leaseMs) });
for await (const delivery of queue) {
  console.log(delivery.event.id);
  if (hold === 'hold') await new Promise((resolve) => setTimeout(resolve, 60_000));
  await delivery.ack();
  if (delivery.event.type === 'end') break;
}
