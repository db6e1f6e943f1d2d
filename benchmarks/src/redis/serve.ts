/**
 * Runs a Redis until standard input ends, and prints what and where it is. A program of its own, because the testbed runs
 * from its sources, on the Node of the workspace, and cases run on others too.
 *
 * @module
 */
import { once } from 'node:events';
import { redis } from 'nq-testbed';

// Kept in memory only, so that what is measured is not the disk.
await using server = await redis({ provider: 'native', config: ['appendonly no'] });
process.stdout.write(`${JSON.stringify({ name: `${server.product} ${server.version}`, address: server.url })}\n`);
process.stdin.resume();
await once(process.stdin, 'end');
