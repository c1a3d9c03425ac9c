import { defineConfig, mergeConfig } from 'vitest/config';
import cpu from './vitest.config.mjs';

// Rank 0 of a job over two hosts; src/test/ranks-over-hosts.test.ts starts it and the other ranks by scripts/two-hosts.sh.
const { include: _, ...test } = cpu.test;
export default mergeConfig(
  defineConfig({ test }),
  defineConfig({ test: { include: ['dist/test/hosts/host-suite.js'] } }),
);
