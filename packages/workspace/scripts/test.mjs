// `npm test`: installs, builds and runs every test of every workspace. Written like start.mjs, for the same reason.
import { requireNode } from './node-version.mjs';

requireNode();
import('./run-tests.mjs').then((module) => module.runTests(process.argv.slice(2)));
