import { defineConfig } from 'vitest/config';

// Tests run on the compiled output, because worker threads and rank processes
// load compiled files and Node 20 cannot run TypeScript.
export default defineConfig({
  test: {
    include: ['dist/**/*.test.js'],
    provide: { device: 'cpu' },
    pool: 'forks', // never threads: native libraries must not be unloaded with a thread
    maxWorkers: 2,
    testTimeout: 60_000,
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
});
