// `npm start`: installs and builds what the example needs, then runs it.
//
// This file and what it imports statically must parse on any Node with ES modules (12.17), because a module graph is
// parsed before its first line runs: only then can a Node that is too old be told so. The rest is loaded afterwards.
import { requireNode } from './node-version.mjs';

requireNode();
import('./run-example.mjs').then((module) => module.runExample(process.argv.slice(2)));
