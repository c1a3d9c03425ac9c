import { expect, test } from 'vitest';
import { aloft } from '../cli/testing/command-line.js';

const LIMITS = ['--max_batch_size', '16', '--max_input_len', '2048', '--max_output_len', '2048'];

/** What the command recommends for LLaMA-2-7B at 16 x 4,096 tokens, which need 32 GiB of a 16-bit cache. */
async function advice(gigabytes: number, ...flags: string[]): Promise<string | undefined> {
  const { out } = await aloft(
    'plan-memory',
    '--random_weights',
    'llama2_7b',
    '--gpu_memory_gb',
    `${gigabytes}`,
    ...LIMITS,
    ...flags,
  );
  return /^(?:Built with .*|Neither .*)$/m.exec(out)?.[0];
}

test.each<[number, string[], string | undefined]>([
  [80, [], undefined],
  [40, [], 'Built with --kv_cache_dtype int8, all of them fit.'],
  [32, [], 'Built with --kv_cache_dtype int8 --use_weight_only, all of them fit.'],
  [32, ['--use_weight_only'], 'Built with --kv_cache_dtype int8, all of them fit.'],
  [20, ['--use_weight_only', '--kv_cache_dtype', 'int8'], 'Built with --max_batch_size 9, all of them fit.'],
  [
    8,
    [],
    'Neither smaller weights nor a smaller cache is enough; build with smaller --max_input_len, --max_output_len or more ranks.',
  ],
])(
  'with %i GB and %j the change that makes all sequences fit is tried and named',
  async (gigabytes, flags, expected) => {
    const found = await advice(gigabytes, ...flags);
    expect(found).toBe(expected);
    const [, changes] = /^Built with (.*), all/.exec(found ?? '') ?? [];
    if (changes === undefined) return;
    const followed = await aloft(
      'plan-memory',
      '--random_weights',
      'llama2_7b',
      '--gpu_memory_gb',
      `${gigabytes}`,
      ...LIMITS,
      ...flags,
      ...changes.split(' '),
    );
    expect(followed.out).toContain('nothing to change');
  },
);
