import { defineConfig, mergeConfig } from 'vitest/config';
import cpu from './vitest.config.mjs';

// The same tests on a GPU: `npx vitest run --config vitest.cuda.config.mjs`. One file at a time, because each takes
// most of the device's memory for its KV cache.
const { include: _, ...test } = cpu.test;
export default mergeConfig(
  defineConfig({ test }),
  defineConfig({
    test: {
      include: [
        // Kernels first: where they are wrong, everything after them is.
        'dist/ops/**/cuda-kernel.test.js',
        'dist/test/cuda/*.test.js',
        ...[
          'logits-demo',
          'families',
          'greedy',
          'perplexity',
          'golden',
          'serve-equality',
          'serve-vanish',
          'embeddings',
          'quantised-checkpoints',
        ].map((name) => `dist/test/${name}.test.js`),
      ],
      provide: { device: 'cuda' },
      fileParallelism: false,
    },
  }),
);
