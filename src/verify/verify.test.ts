/** Engines against their checkpoints, whole ones and spoiled ones. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../builder/checkpoint/open.js';
import { openSafetensorsFile } from '../builder/checkpoint/safetensors-file.js';
import { aloft, buildDemo, DEMO_MODEL, temporaryFolder } from '../tools/cli/testing/command-line.js';
import { type EngineComparison, verify } from './verify.js';

const ORACLE = fileURLToPath(new URL('../../oracle/', import.meta.url));
const LIMITS = ['--max_batch_size', '2', '--max_input_len', '64', '--max_output_len', '16'];
const folder = temporaryFolder();
afterAll(() => folder.dispose());

/** A copy of the demo model in which the bytes of a tensor were changed. */
function spoiled(name: string, tensor: string, change: (bytes: Uint8Array) => void): string {
  const directory = folder.path(name);
  cpSync(DEMO_MODEL, directory, { recursive: true });
  const path = join(directory, 'model.safetensors');
  const tensors = openSafetensorsFile(path);
  const bytes = tensors.read(tensor).bytes.slice();
  tensors.dispose();
  const file = readFileSync(path);
  const place = file.indexOf(bytes);
  change(bytes);
  file.set(bytes, place);
  writeFileSync(path, file);
  return directory;
}

/** Turns the signs of every eighth 16-bit number. */
function turnSigns(bytes: Uint8Array): void {
  for (let at = 1; at < bytes.length; at += 16) bytes[at]! ^= 0x80;
}

describe('the demo model', () => {
  test.each([
    ['float32', []],
    ['float16', []],
    ['bfloat16', []],
    ['int8 weights', ['--use_weight_only']],
    ['an int8 cache', ['--int8_kv_cache']],
    ['two ranks', ['--tp_size', '2']],
  ])('in %s is within its tolerance', async (name, flags) => {
    const engine = folder.path(name);
    const dtype = name.endsWith('16') || name === 'float32' ? ['--dtype', name] : [];
    await buildDemo(engine, ...dtype, ...flags);
    const { status, out, err } = await aloft('verify', engine, DEMO_MODEL, '--max_tokens', '24', '--json');
    expect([status, err]).toEqual([0, '']);
    const result = JSON.parse(out) as EngineComparison;
    expect(result).toMatchObject({ tokenCount: 24, firstWrongLayer: null, logits: { isWithin: true } });
    expect(result.layers).toHaveLength(6);
    const { engine: found, checkpoint: expected } = result.text!.perplexity;
    expect(Math.abs(found / expected - 1)).toBeLessThan(0.1);
  });

  test.each([
    ['model.layers.3.mlp.down_proj.weight', 3],
    ['model.layers.5.self_attn.v_proj.weight', 5],
    ['model.layers.1.post_attention_layernorm.weight', 1],
    ['model.embed_tokens.weight', 0],
  ])('built with a spoiled %s differs first in layer %i', async (tensor, layer) => {
    const engine = folder.path(`${tensor}-engine`);
    const checkpoint = spoiled(tensor, tensor, turnSigns);
    await aloft('build', '--model_dir', checkpoint, '--output_dir', engine, ...LIMITS);
    const { status, out, err } = await aloft('verify', engine, DEMO_MODEL, '--max_tokens', '24');
    expect([status, err]).toEqual([
      1,
      expect.stringMatching(new RegExp(`first in layer ${layer}[,;].*\\[CHECK_FAILED\\]`)),
    ]);
    const rows = out.split('\n').filter((line) => line.startsWith('layer '));
    expect(rows.map((line) => line.endsWith('beyond'))).toEqual(rows.map((_, index) => index >= layer));
  });

  test('as a model of embeddings is within its tolerance', async () => {
    const engine = folder.path('embed');
    await buildDemo(engine, '--task', 'embed');
    const { status, out } = await aloft('verify', engine, DEMO_MODEL, '--max_tokens', '12');
    expect([status, out]).toEqual([0, expect.stringMatching(/^layer 5 +0\.0\d+%.*\nall tokens +0\.0\d+%/m)]);
    expect(out).not.toMatch(/Perplexity/);
  });

  test('is refused with another checkpoint, and runs a text of the user', async () => {
    const other = await aloft('verify', folder.path('float16'), join(ORACLE, 'families/qwen2'));
    expect([other.status, other.err]).toEqual([
      1,
      expect.stringMatching(/is LlamaForCausalLM of 6 layers.* but .* is Qwen2ForCausalLM of 2/),
    ]);
    const text = folder.path('text');
    writeFileSync(text, 'The cat sat on the mat.');
    const { status, out } = await aloft('verify', folder.path('float16'), DEMO_MODEL, '--text_file', text);
    expect([status, out]).toEqual([
      0,
      expect.stringMatching(/^Same most likely token at \d+ of (?:[5-9]|1\d) tokens\.$/m),
    ]);
    writeFileSync(text, '');
    expect((await aloft('verify', folder.path('float16'), DEMO_MODEL, '--text_file', text)).err).toMatch(
      /less than two tokens.*\[USAGE\]/,
    );
  });
});

test.each([
  'families/gemma2',
  'families/gemma3',
  'families/glm4',
  'families/mixtral',
  'families/phi3',
  'families/qwen3',
  'chatglm/chatglm2',
])('hidden states of %s after each layer are those of its checkpoint', async (path) => {
  const [source, engine] = [join(ORACLE, path), folder.path(path)];
  const built = await aloft(
    'build',
    '--model_dir',
    source,
    '--output_dir',
    engine,
    '--dtype',
    'float32',
    ...LIMITS,
  );
  expect([built.status, built.err]).toEqual([0, expect.any(String)]);
  const checkpoint = openCheckpoint(source);
  const result = await verify({
    options: { engineDirectory: engine },
    checkpoint,
    tokenIds: Array.from({ length: 32 }, (_, index) => 3 + ((index * 37) % 90)),
    onProgress() {},
  });
  checkpoint.tensors.dispose();
  expect(result.firstWrongLayer).toBeNull();
  expect(result.layers.every(({ difference }) => difference! < 5e-6)).toBe(true);
  expect(result.layers.length).toBe(checkpoint.config.layerCount);
});
