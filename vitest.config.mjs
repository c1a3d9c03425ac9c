import { defineConfig } from 'vitest/config';

// Tests run on the compiled output, because worker threads and rank processes
// load compiled files and Node 20 cannot run TypeScript. Scripts have theirs beside them.
export default defineConfig({
  test: {
    include: ['dist/**/*.test.js', '{bench,scripts}/**/*.test.mjs'],
    provide: { device: 'cpu' },
    pool: 'forks', // never threads: native libraries must not be unloaded with a thread
    maxWorkers: 2,
    // No test is about how long something takes: these only end what hangs, on slow and busy machines, too.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
});
