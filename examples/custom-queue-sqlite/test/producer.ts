// A process of its own: pushes to the file it is given until the queue is full, and prints the id of each event that was
// stored.
import { isNqError } from '@nq/core';
import { sqliteQueue } from '../src/sqlite-queue.ts';

const [path = '', capacity] = process.argv.slice(2);
await using queue = sqliteQueue({ path, capacity: Number(capacity) });
for (let index = 0; ; index++) {
  const id = `${process.pid}-${index}`;
  try {
    await queue.push({ id, type: 'counted' }, { timeoutMs: 0 });
  } catch (error) {
    if (isNqError(error, 'NQ_FULL')) break;
    throw error;
  }
  console.log(id);
}
