// First step of every build: tsc never deletes, and the output of a source that was renamed would be published.
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
