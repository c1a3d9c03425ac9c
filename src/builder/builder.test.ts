import { mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SILENT_LOG } from '../core/log.js';
import { createCpuPool } from '../device/cpu/kernel-library.js';
import { createCpuWeightLayout } from '../device/cpu/cpu-weight-layout.js';
import type { HostTensor } from '../core/tensor.js';
import { openEngineRank, type EngineRank } from '../engine/rank-file-reader.js';
import type { BuildOptions, BuildTarget } from './build-options.js';
import { type BuildHooks, type BuildProgress, buildEngine } from './builder.js';
import { openCheckpoint } from './checkpoint/open.js';
import { resolveBuildOptions } from './resolve-options.js';
import { faultOf, rejectionOf } from './testing/fault.js';
import { floatsOf, ROW_MAJOR_LAYOUT } from './testing/row-major-layout.js';
import {
  rows,
  TINY_CONFIG,
  tinyTensors,
  type TinyTensors,
  withDirectory,
  writeSafetensors,
  writeTinyCheckpoint,
} from './testing/tiny-checkpoint.js';

const TARGET: BuildTarget = {
  layout: ROW_MAJOR_LAYOUT,
  deviceName: 'a CPU',
  deviceArchitecture: null,
  createdBy: 'aloft test',
};
const HOOKS: BuildHooks = { log: SILENT_LOG, onProgress() {} };

/** A checkpoint in `root/model`, and the options to build it into `root/engine`. */
function prepare(root: string, flags: Record<string, string | true> = {}): BuildOptions {
  mkdirSync(join(root, 'model'));
  writeTinyCheckpoint(join(root, 'model'));
  return optionsFor(root, flags);
}

function optionsFor(root: string, flags: Record<string, string | true>): BuildOptions {
  const given = {
    model_dir: join(root, 'model'),
    output_dir: join(root, 'engine'),
    dtype: 'float32',
    ...flags,
  };
  return resolveBuildOptions(new Map(Object.entries(given))).options;
}

async function build(root: string, options: BuildOptions, hooks: BuildHooks = HOOKS) {
  const checkpoint = openCheckpoint(join(root, 'model'));
  try {
    return await buildEngine(checkpoint, TARGET, options, hooks);
  } finally {
    checkpoint.tensors.dispose();
  }
}

const openRank = (root: string, rank = 0, worldSize = 1): EngineRank =>
  openEngineRank(join(root, 'engine'), {
    rank,
    worldSize,
    device: 'cpu',
    layoutVersion: ROW_MAJOR_LAYOUT.version,
    verification: 'full',
  });

const stored = (engine: EngineRank, name: string): number[] => {
  const tensor = engine.tensor(name);
  return Array.from(floatsOf({ dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes() }));
};
const values = (...tensors: HostTensor[]): number[] =>
  tensors.flatMap((tensor) => Array.from(floatsOf(tensor)));

test('a float32 build holds the checkpoint’s values, concatenated as the plan says', async () => {
  await withDirectory(async (root) => {
    const progress: BuildProgress[] = [];
    const options = prepare(root);
    const report = await build(root, options, { ...HOOKS, onProgress: (step) => progress.push(step) });
    const tensors = tinyTensors();
    const of = (name: string) => tensors.get(`model.layers.1.${name}.weight`)!;
    const engine = openRank(root);
    expect(stored(engine, 'vocab_embedding.weight')).toEqual(
      values(tensors.get('model.embed_tokens.weight')!),
    );
    expect(stored(engine, 'layers.1.attention.qkv.weight')).toEqual(
      values(of('self_attn.q_proj'), of('self_attn.k_proj'), of('self_attn.v_proj')),
    );
    expect(stored(engine, 'layers.1.mlp.fc_gate.weight')).toEqual(
      values(of('mlp.gate_proj'), of('mlp.up_proj')),
    );
    expect(stored(engine, 'lm_head.weight')).toEqual(values(tensors.get('lm_head.weight')!));
    expect(engine.plan.ops.some(({ kind }) => kind === 'addRmsNorm')).toBe(true);
    engine.dispose();

    expect(progress.at(-1)).toEqual({ weight: 'lm_head.weight', layersDone: 2, layerCount: 2 });
    expect(progress.find(({ weight }) => weight === 'layers.0.mlp.proj.weight')?.layersDone).toBe(1);
    expect(report.parts.map(({ part }) => part)).toEqual([
      'embedding',
      'attention',
      'mlp',
      'norms',
      'lm_head',
    ]);
    expect(report.parts[0]).toEqual({ part: 'embedding', bytes: 37 * 16 * 4, relativeError: 0 });
    expect(report.parts[3]!.bytes).toBe(5 * 16 * 4);
    expect(report.peakAnonymousBytes).toBeGreaterThan(1e6);
  });
});

test('INT8 quantises the layers alone, and the report says by how much', async () => {
  await withDirectory(async (root) => {
    const report = await build(root, prepare(root, { use_weight_only: true }));
    const engine = openRank(root);
    expect(engine.tensor('layers.0.attention.qkv.weight').dtype).toBe('i8');
    expect(engine.tensor('layers.0.attention.qkv.weight.scale')).toMatchObject({ dtype: 'f32', shape: [32] });
    expect(engine.tensor('lm_head.weight').dtype).toBe('f32');
    engine.dispose();
    const errors = Object.fromEntries(report.parts.map(({ part, relativeError }) => [part, relativeError]));
    expect(errors).toMatchObject({ embedding: 0, norms: 0, lm_head: 0 });
    // A uniform grid of 254 steps over values of sine shape: 1 / (127 * sqrt(12) * rms), rms about 0.7.
    expect(errors['attention']).toBeGreaterThan(0.001);
    expect(errors['attention']).toBeLessThan(0.005);
    expect(report.manifest.builder_config.quant_mode).toBe(2);
    expect(report.manifest.plugin_config.weight_only_quant_matmul_plugin).toBe('float16');
    expect(report.manifest.aloft).toMatchObject({
      quantised_parts: ['layers'],
      quantised_format: 'int8 per channel',
    });
  });
});

test('two ranks share the weights as tensor parallelism wants', async () => {
  await withDirectory(async (root) => {
    const report = await build(root, prepare(root, { tp_size: '2' }));
    expect(readdirSync(join(root, 'engine')).toSorted()).toEqual([
      'config.json',
      'llama_float32_tp2_rank0.engine',
      'llama_float32_tp2_rank1.engine',
      'model.cache',
    ]);
    expect(report.manifest.builder_config).toMatchObject({ tensor_parallel: 2, num_heads: 4 });
    expect(report.manifest.plugin_config.nccl_plugin).toBe('float32');
    const tensors = tinyTensors();
    const of = (name: string) => tensors.get(`model.layers.0.${name}.weight`)!;
    for (const rank of [0, 1]) {
      const engine = openRank(root, rank, 2);
      const half = (name: string, size: number) => rows(of(name), rank * size, (rank + 1) * size);
      expect(stored(engine, 'layers.0.attention.qkv.weight')).toEqual(
        values(half('self_attn.q_proj', 8), half('self_attn.k_proj', 4), half('self_attn.v_proj', 4)),
      );
      expect(stored(engine, 'layers.0.mlp.fc_gate.weight')).toEqual(
        values(half('mlp.gate_proj', 12), half('mlp.up_proj', 12)),
      );
      const down = floatsOf(of('mlp.down_proj')); // [16, 24], columns cut
      const kept = Array.from(down).filter((_, index) => Math.floor((index % 24) / 12) === rank);
      expect(stored(engine, 'layers.0.mlp.proj.weight')).toEqual(kept);
      const head = values(rows(tensors.get('lm_head.weight')!, rank * 19, Math.min(37, rank * 19 + 19)));
      const padding = Array.from({ length: rank * 16 }, () => 0);
      expect(stored(engine, 'lm_head.weight')).toEqual([...head, ...padding]);
      engine.dispose();
    }
  });
});

test('a rank may have nothing of a small vocabulary but padding', async () => {
  await withDirectory(async (root) => {
    const config = { ...TINY_CONFIG, vocab_size: 5 };
    mkdirSync(model(root));
    writeTinyCheckpoint(model(root), config);
    const pool = createCpuPool({ threadCount: 1 });
    for (const layout of [ROW_MAJOR_LAYOUT, createCpuWeightLayout(pool)]) {
      const checkpoint = openCheckpoint(model(root));
      await buildEngine(
        checkpoint,
        { ...TARGET, layout },
        optionsFor(root, { tp_size: '4', force: true }),
        HOOKS,
      );
      checkpoint.tensors.dispose();
      const expected = {
        rank: 3,
        worldSize: 4,
        device: 'cpu',
        layoutVersion: layout.version,
        verification: 'full',
      } as const;
      const engine = openEngineRank(join(root, 'engine'), expected);
      expect(engine.plan.weights['lm_head.weight']?.source.parts[0]?.slice).toEqual({
        axis: 0,
        start: 5,
        end: 5,
      });
      const padding = engine.tensor('lm_head.weight').bytes();
      expect(padding.every((byte) => byte === 0)).toBe(true);
      engine.dispose();
    }
    pool.dispose();
  });
});

test('tokenizer files come along and config.json remembers what readers need', async () => {
  await withDirectory(async (root) => {
    const options = prepare(root, {
      max_batch_size: '4',
      use_gemm_plugin: true,
      use_inflight_batching: true,
    });
    writeFileSync(join(root, 'model', 'tokenizer.json'), '{"x":1}');
    writeFileSync(join(root, 'model', 'generation_config.json'), '{"eos_token_id":[7],"temperature":0.5}');
    const named = join('additional_chat_templates', 'tool_use.jinja');
    mkdirSync(join(root, 'model', 'additional_chat_templates'));
    writeFileSync(join(root, 'model', named), 'T');
    const { manifest } = await build(root, options);
    expect(readFileSync(join(root, 'engine', 'tokenizer.json'), 'utf8')).toBe('{"x":1}');
    expect(readFileSync(join(root, 'engine', named), 'utf8')).toBe('T');
    expect(manifest.builder_config).toMatchObject({ max_batch_size: 4, precision: 'float32', quant_mode: 0 });
    expect(manifest.plugin_config).toMatchObject({
      gemm_plugin: 'float16',
      gpt_attention_plugin: 'float32',
      nccl_plugin: false,
      paged_kv_cache: true,
      remove_input_padding: true,
      tokens_per_block: 16,
    });
    expect(manifest.aloft).toMatchObject({
      end_ids: [7],
      bos_id: 1,
      generation: { temperature: 0.5 },
      head_dim: 4,
      inter_size: 24,
      tokenizer_files: ['tokenizer.json', 'generation_config.json', named],
    });
    expect(faultOf(() => openRank(root, 0, 2)).code).toBe('WORLD_SIZE_MISMATCH');
  });
});

test.each([
  [{}, 'float32', 0, 'f32'],
  [{ dtype: 'float16', int8_kv_cache: true }, 'int8', 64, 'i8'],
  [{ kv_cache_dtype: 'fp8', use_weight_only: true }, 'fp8', 128 + 2, 'f8e4m3'],
] as const)('flags %j record a KV cache of %s', async (flags, name, quantMode, kvDtype) => {
  await withDirectory(async (root) => {
    const { manifest } = await build(root, prepare(root, flags));
    expect(manifest.aloft.kv_cache_dtype).toBe(name);
    expect(manifest.builder_config).toMatchObject({ quant_mode: quantMode, int8: false, fp8: false });
    const engine = openRank(root, 0, 1);
    expect(engine.plan.kvDtype).toBe(kvDtype);
    engine.dispose();
  });
});

test('FP8 weights are recorded as TensorRT-LLM records them', async () => {
  await withDirectory(async (root) => {
    const { manifest } = await build(root, prepare(root, { quantization: 'fp8' }));
    expect(manifest.builder_config).toMatchObject({ quant_mode: 256, fp8: true, int8: false });
    expect(manifest.plugin_config.weight_only_quant_matmul_plugin).toBe(false);
    expect(manifest.aloft.quantised_format).toBe('fp8 per channel');
  });
});

test('rotary flags win over config.json', async () => {
  await withDirectory(async (root) => {
    const { manifest } = await build(
      root,
      prepare(root, { rotary_base: '5000', rotary_scaling: 'dynamic 2' }),
    );
    expect(manifest.aloft.rotary_base).toBe(5000);
    expect(manifest.aloft.rotary_scaling).toEqual({ type: 'dynamic', factor: 2, originalMaxPositions: 64 });
  });
});

test('warns of long sequences, a missing tokenizer and a useless timing cache', async () => {
  await withDirectory(async (root) => {
    const warnings: string[] = [];
    const log = { ...SILENT_LOG, warning: (line: string) => warnings.push(line) };
    await build(root, prepare(root, { max_input_len: '60', max_output_len: '5', timing_cache: 'none' }), {
      ...HOOKS,
      log,
    });
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(/Invalid timing cache, using freshly created one/);
    expect(warnings[1]).toMatch(/65 tokens, but the model was trained for 64/);
    expect(warnings[2]).toMatch(/No tokenizer\.json or tokenizer\.model in .*model/);
  });
});

test.each([
  [
    '{"eos_token_id": [2, 5000]}',
    /have 5000, but token ids of the model are 0 to \d+: no output ends with it\.$/,
  ],
  ['{"eos_token_id": [5000, 99999]}', /have 5000, 99999, but .*: no output ends with them\.$/],
])('warns of end ids that the model does not have: %s', async (generation, message) => {
  await withDirectory(async (root) => {
    const warnings: string[] = [];
    const log = { ...SILENT_LOG, warning: (line: string) => warnings.push(line) };
    const options = prepare(root, {});
    writeFileSync(join(model(root), 'generation_config.json'), generation);
    await build(root, options, { ...HOOKS, log });
    expect(warnings).toContainEqual(expect.stringMatching(message));
  });
});

const model = (root: string) => join(root, 'model');
function withTensors(root: string, change: (tensors: TinyTensors) => void): void {
  const tensors = tinyTensors();
  change(tensors);
  writeSafetensors(join(model(root), 'model.safetensors'), tensors);
}
const NORM = 'model.norm.weight';
const Q = 'model.layers.0.self_attn.q_proj.weight';

test.each<[string, string, RegExp, (root: string) => void]>([
  [
    'a truncated file',
    'CHECKPOINT_CORRUPT',
    /model\.safetensors is damaged: it is truncated/,
    (root) => truncateSync(join(model(root), 'model.safetensors'), 9000),
  ],
  [
    'a missing tensor',
    'TENSOR_MISSING',
    /lacks 1 of the 21 tensors that LlamaForCausalLM .* needs: model\.norm\.weight\. Likely cause: /,
    (root) => withTensors(root, (t) => t.delete(NORM)),
  ],
  [
    'a tensor of another type',
    'TENSOR_MISMATCH',
    /'model\.norm\.weight' has the type I32/,
    (root) => withTensors(root, (t) => t.set(NORM, { ...t.get(NORM)!, dtype: 'i32' })),
  ],
  [
    'a tensor of another shape',
    'TENSOR_MISMATCH',
    /q_proj\.weight' has the shape \[8, 32\], but .*config\.json asks for \[16, 16\]/,
    (root) => withTensors(root, (t) => t.set(Q, { ...t.get(Q)!, shape: [8, 32] })),
  ],
  [
    'mixed types in one weight',
    'TENSOR_MISMATCH',
    /differ in type: f16, f32/,
    (root) => withTensors(root, (t) => t.set(Q, tinyTensors(undefined, 'f16').get(Q)!)),
  ],
  [
    'an unknown architecture',
    'ARCHITECTURE_UNKNOWN',
    /config\.json: 'architectures' names 'Other'/,
    (root) =>
      writeFileSync(
        join(model(root), 'config.json'),
        JSON.stringify({ ...TINY_CONFIG, architectures: ['Other'] }),
      ),
  ],
  [
    'a config of other sizes',
    'TENSOR_MISMATCH',
    /asks for/,
    (root) =>
      writeFileSync(join(model(root), 'config.json'), JSON.stringify({ ...TINY_CONFIG, vocab_size: 40 })),
  ],
])('refuses %s and leaves nothing behind', async (_, code, message, damage) => {
  await withDirectory(async (root) => {
    const options = prepare(root);
    damage(root);
    const fault = await rejectionOf((async () => build(root, options))());
    expect(fault.code).toBe(code);
    expect(fault.kind.exit).toBe(2);
    expect(fault.message).toMatch(message);
    expect(readdirSync(root)).toEqual(['model']);
  });
});

test('refuses ranks that do not divide the heads, and an output that exists', async () => {
  await withDirectory(async (root) => {
    const options = prepare(root, { tp_size: '3' });
    expect((await rejectionOf(build(root, options))).code).toBe('SHARDING_IMPOSSIBLE');
    expect(readdirSync(root)).toEqual(['model']);
    await build(root, optionsFor(root, {}));
    expect((await rejectionOf(build(root, optionsFor(root, {})))).code).toBe('OUTPUT_EXISTS');
    const { manifest } = await build(root, optionsFor(root, { force: true, dtype: 'bfloat16' }));
    expect(manifest.builder_config.precision).toBe('bfloat16');
    expect(readdirSync(root).toSorted()).toEqual(['engine', 'model']);
  });
});

test('a build that is stopped or fails midway leaves the old engine as it was', async () => {
  await withDirectory(async (root) => {
    const options = prepare(root, { force: true });
    await build(root, options);
    const before = readFileSync(join(root, 'engine', 'config.json'), 'utf8');
    const stop = new AbortController();
    const onProgress = ({ layersDone }: BuildProgress) => {
      if (layersDone === 1) stop.abort();
    };
    await expect(build(root, options, { ...HOOKS, onProgress, signal: stop.signal })).rejects.toThrow(
      /abort/,
    );
    const failing = {
      ...TARGET,
      layout: {
        ...ROW_MAJOR_LAYOUT,
        pack: () => {
          throw new Error('no kernel');
        },
      },
    };
    const checkpoint = openCheckpoint(model(root));
    await expect(buildEngine(checkpoint, failing, options, HOOKS)).rejects.toThrow(/no kernel/);
    checkpoint.tensors.dispose();
    expect(readFileSync(join(root, 'engine', 'config.json'), 'utf8')).toBe(before);
    openRank(root).dispose();
    expect(readdirSync(root).toSorted()).toEqual(['engine', 'model']);
    rmSync(join(root, 'engine'), { recursive: true });
  });
});
