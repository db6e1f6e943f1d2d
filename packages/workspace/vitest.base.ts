import { defineConfig } from 'vitest/config';

// `@nq/*` means the sources, as it does for the compiler: no test runs against a stale build. Setting conditions
// replaces vite's own for code that runs in Node, so those are repeated.
const conditions = ['@nq/source', 'module', 'node', 'development|production'];

// Local time is taken for UTC by mistake, and nobody sees it where they are the same. No whole hours either.
process.env['TZ'] ??= 'America/St_Johns';

/** What the tests of all packages have in common; each package's vitest.config.ts re-exports it. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: 'test-results/vitest.json' }]],
    // Only what hangs should ever reach these: what a test waits for has a deadline of its own, and machines are busy.
    testTimeout: 90_000,
    // Brokers start in hooks, and the testbed gives up on them sooner.
    hookTimeout: 150_000,
    // A test that passes at the second try is a defect that hides.
    retry: 0,
    passWithNoTests: false,
  },
});
