import { expect, test } from 'vitest';
import type { BuildOptions } from './build-options.js';
import { cacheWarnings } from './check-checkpoint.js';
import { resolveBuildOptions } from './resolve-options.js';

const optionsOf = (...flags: [string, string][]): BuildOptions =>
  resolveBuildOptions(new Map([['model_dir', 'm'], ['output_dir', 'o'], ...flags])).options;

test.each<[BuildOptions, string[]]>([
  [
    optionsOf(['dtype', 'bfloat16']),
    [
      expect.stringMatching(
        /^A cpu holds the bfloat16 KV cache as float16: .*65,504.*--kv_cache_dtype float32/,
      ) as string,
    ],
  ],
  [optionsOf(['kv_cache_dtype', 'bfloat16']), [expect.stringMatching(/as float16/) as string]],
  [optionsOf(['dtype', 'bfloat16'], ['kv_cache_dtype', 'float32']), []],
  [optionsOf(['dtype', 'bfloat16'], ['kv_cache_dtype', 'int8']), []],
  [optionsOf(), []],
])('a cache that a CPU holds in another type is named (%#)', (options, expected) => {
  expect(cacheWarnings('cpu', options)).toEqual(expected);
  expect(cacheWarnings('cuda', options)).toEqual([]);
});
