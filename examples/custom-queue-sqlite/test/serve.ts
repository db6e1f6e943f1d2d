// A process of its own, which the harness starts: opens the file it is given, and does what the kit says.
import { serveQueue } from '@nq/core/conformance';
import { sqliteQueue } from '../src/sqlite-queue.ts';

const [path = ''] = process.argv.slice(2);
serveQueue(({ capacity, leaseMs }) => sqliteQueue({ path, capacity, leaseMs }));
