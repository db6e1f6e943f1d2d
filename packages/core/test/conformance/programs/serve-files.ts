// Another process with the same folder, for the hook `fork`.
import { serveQueue } from '../../../src/conformance.ts';
import { fileQueue } from './file-queue.ts';

const [folder = '', locked] = process.argv.slice(2);
serveQueue(({ capacity, leaseMs }) => fileQueue({ folder, locked: locked === 'locked', capacity, leaseMs }));
