import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { uncaught } from '../src/uncaught.ts';

const source = pathToFileURL(join(import.meta.dirname, '../src/uncaught.ts')).href;

test('what a listener is told arrives', () => {
  const told: string[] = [];
  uncaught((warning: string) => told.push(warning))('a');
  expect(told).toEqual(['a']);
});

test('what a listener throws ends the process as everything does that nobody catches, and not who has told it', async () => {
  const program = `
    import { uncaught } from ${JSON.stringify(source)};
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    uncaught(() => { throw new Error('mine'); })('a');
    console.log('went on');`;
  const options = ['--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  expect(stdout).toBe('went on\nuncaught mine\n');
});
