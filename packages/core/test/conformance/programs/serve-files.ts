// Another process with the same folder, for the hook `fork`.
import { serveQueue } from '../../../src/conformance.ts';
import { fileQueue } from './file-queue.ts';

const [folder = '', locked, clock] = process.argv.slice(2);
serveQueue(({ capacity, leaseMs }) =>
  fileQueue({
    folder,
    locked: locked === 'slowly' ? locked : locked === 'true',
    clock: clock === 'process' ? 'process' : 'machine',
    capacity,
    leaseMs,
  }),
);
