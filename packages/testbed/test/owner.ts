// A program that starts a Redis, tells what it is, and then waits, ends or throws without having stopped it.
import { redis } from '../src/index.ts';
import { guardian } from '../src/guardian.ts';

const server = await redis({ provider: 'native' });
const [, folder] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string];
const { pid } = await guardian();
process.stdout.write(`${JSON.stringify({ pid: server.pid, guardian: pid, folder })}\n`);

if (process.argv[2] === 'wait') setInterval(() => {}, 1000);
if (process.argv[2] === 'throw') throw new Error('the tests have crashed');
