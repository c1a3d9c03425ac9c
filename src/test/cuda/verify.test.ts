/** Engines on a GPU against their checkpoint. */
import { afterAll, expect, test } from 'vitest';
import { describeOnGpu } from '../../device/cuda/testing/on-gpu.js';
import { aloft, buildDemo, DEMO_MODEL, temporaryFolder } from '../../tools/cli/testing/command-line.js';
import type { EngineComparison } from '../../verify/verify.js';

const folder = temporaryFolder();
afterAll(() => folder.dispose());

describeOnGpu('on a GPU the demo model', () => {
  test.each([
    ['float16', ['--dtype', 'float16']],
    ['bfloat16', ['--dtype', 'bfloat16']],
    ['int8 weights', ['--use_weight_only']],
    ['int8 weights and cache', ['--use_weight_only', '--kv_cache_dtype', 'int8']],
    ['int4 weights', ['--use_weight_only', '--weight_only_precision', 'int4']],
  ])('in %s is within its tolerance after every layer', { timeout: 120_000 }, async (name, flags) => {
    const engine = folder.path(name);
    const built = await buildDemo(engine, '--device', 'cuda', '--no_tune', ...flags);
    expect([built.status, built.err]).toEqual([0, expect.any(String)]);
    const { status, out, err } = await aloft('verify', engine, DEMO_MODEL, '--max_tokens', '24', '--json');
    expect([status, err]).toEqual([0, '']);
    const result = JSON.parse(out) as EngineComparison;
    expect(result).toMatchObject({ tokenCount: 24, firstWrongLayer: null, logits: { isWithin: true } });
    expect(result.layers).toHaveLength(6);
  });
});
