import { fileURLToPath } from 'node:url';
import { runCase } from '../harness/run-case.ts';
import { kafkaSuite } from './suite.ts';

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'case') await runCase(kafkaSuite.cases, rest);
// What the whole run needs is loaded here only: a case is measured in a process that holds little else.
const { runSuite } = await import('../harness/run-suite.ts');
process.exitCode = await runSuite(kafkaSuite, fileURLToPath(import.meta.url));
