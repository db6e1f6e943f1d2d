// A program that starts a Redis, tells what it is, and then waits, ends or throws without having stopped it.
import { guardian } from '../src/guardian.ts';
import { redis } from '../src/index.ts';

const [, , provider, then] = process.argv;
const server = await redis({ provider: provider === 'docker' ? 'docker' : 'native' });
const [, folder] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string];
const { pid } = await guardian();
process.stdout.write(`${JSON.stringify({ pid: server.pid, guardian: pid, folder })}\n`);

if (then === 'wait') setInterval(() => {}, 1000);
if (then === 'throw') throw new Error('the tests have crashed');
