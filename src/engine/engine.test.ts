import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultOf } from '../builder/testing/fault.js';
import { withDirectory } from '../builder/testing/tiny-checkpoint.js';
import type { Plan } from '../plan/plan.js';
import { createEngine, type ManifestDraft } from './engine-writer.js';
import {
  CHECKSUM_CHUNK_BYTES,
  DATA_ALIGNMENT_BYTES,
  ENGINE_FORMAT_VERSION,
  MANIFEST_FILE,
  PADDING_PREFIX,
} from './format.js';
import { readManifest } from './manifest.js';
import { type EngineExpectation, openEngineRank } from './rank-file-reader.js';
import { parseSafetensors } from './safetensors.js';
import { emptyTimingCache, readTimingCache } from './timing-cache.js';

const DRAFT: ManifestDraft = {
  builder_config: {
    fp8: false,
    hidden_act: 'silu',
    hidden_size: 4096,
    int8: false,
    max_batch_size: 64,
    max_input_len: 2048,
    max_num_tokens: null,
    max_output_len: 2048,
    max_position_embeddings: 4096,
    name: 'llama',
    num_heads: 32,
    num_kv_heads: 32,
    num_layers: 32,
    parallel_build: false,
    pipeline_parallel: 1,
    precision: 'float16',
    quant_mode: 2,
    tensor_parallel: 1,
    use_refit: false,
    vocab_size: 32000,
  },
  plugin_config: {
    attention_qk_half_accumulation: false,
    bert_attention_plugin: false,
    context_fmha_type: 0,
    gemm_plugin: 'float16',
    gpt_attention_plugin: 'float16',
    identity_plugin: false,
    layernorm_plugin: false,
    layernorm_quantization_plugin: false,
    lookup_plugin: false,
    nccl_plugin: false,
    paged_kv_cache: true,
    quantize_per_token_plugin: false,
    quantize_tensor_plugin: false,
    remove_input_padding: true,
    rmsnorm_plugin: false,
    rmsnorm_quantization_plugin: false,
    smooth_quant_gemm_plugin: false,
    tokens_per_block: 64,
    use_custom_all_reduce: false,
    weight_only_groupwise_quant_matmul_plugin: false,
    weight_only_quant_matmul_plugin: 'float16',
  },
  aloft: {
    created_by: 'aloft test',
    architecture: 'LlamaForCausalLM',
    device: 'cpu',
    device_architecture: null,
    layout_version: 3,
    head_dim: 128,
    inter_size: 11008,
    rms_norm_eps: 1e-5,
    rotary_base: 10000,
    rotary_scaling: { type: 'none' },
    tied_embeddings: false,
    max_beam_width: 1,
    quantised_parts: ['layers'],
    quantised_format: 'int8 per channel',
    kv_cache_dtype: 'float16',
    bos_id: 1,
    pad_id: null,
    end_ids: [2],
    generation: { do_sample: null, temperature: 0.6, top_k: null, top_p: 0.9, repetition_penalty: null },
  },
};

const PLAN: Plan = {
  architecture: 'LlamaForCausalLM',
  activationDtype: 'f16',
  kvDtype: 'f16',
  rank: 0,
  worldSize: 1,
  dims: {
    layerCount: 0,
    hidden: 4,
    headCount: 1,
    kvHeadCount: 1,
    headDim: 4,
    intermediate: 4,
    vocabulary: 4,
    maxPositions: 4,
  },
  ops: [],
  weights: {},
  logits: 'logits',
};

/** The last tensor alone takes more than two checksum chunks. */
const TENSORS = [
  { name: 'small', dtype: 'f32', shape: [3] },
  { name: 'bytes', dtype: 'i8', shape: [5, 13] },
  { name: 'large', dtype: 'u8', shape: [2 * CHECKSUM_CHUNK_BYTES + 11] },
] as const;

const CONTENTS = TENSORS.map(({ dtype, shape }, index) => {
  const bytes = new Uint8Array(
    shape.reduce((product: number, dim) => product * dim, dtype === 'f32' ? 4 : 1),
  );
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + index * 31) % 251;
  return bytes;
});
const contentOf = (index: number): Uint8Array => CONTENTS[index]!;

const EXPECTED: EngineExpectation = {
  rank: 0,
  worldSize: 1,
  device: 'cpu',
  layoutVersion: 3,
  verification: 'full',
};
const FILE = 'llama_float16_tp1_rank0.engine';

function writeEngine(path: string, replace = false): void {
  const writer = createEngine({ path, replace }, DRAFT, [{ plan: PLAN, tensors: TENSORS }]);
  for (const [index, { name }] of TENSORS.entries()) writer.write(0, name, contentOf(index));
  writer.commit({ tokenizerFiles: [], timingCache: emptyTimingCache('a CPU') });
}

/** A fresh engine, and the directory around it. */
async function withEngine(use: (engine: string, root: string) => void): Promise<void> {
  await withDirectory((root) => {
    const engine = join(root, 'engine');
    writeEngine(engine);
    use(engine, root);
  });
}

const PLACEMENTS = [
  ['mapped', 0],
  ['read into memory', Infinity],
] as const;

test.each(PLACEMENTS)('what is written is read back, aligned in memory: %s', async (_, maxResidentBytes) => {
  await withEngine((engine, root) => {
    expect(readdirSync(root)).toEqual(['engine']);
    expect(readdirSync(engine).toSorted()).toEqual(['config.json', FILE, 'model.cache']);
    const read: number[] = [];
    const onBytes = (bytes: number): void => void read.push(bytes);
    const rank = openEngineRank(engine, { ...EXPECTED, maxResidentBytes, onBytes });
    expect(read).toEqual(maxResidentBytes === 0 ? [] : [statSync(join(engine, FILE)).size]);
    expect(rank.plan).toEqual(PLAN);
    expect(rank.tensorNames).toEqual(['small', 'bytes', 'large']);
    for (const [index, { name, dtype, shape }] of TENSORS.entries()) {
      const tensor = rank.tensor(name);
      expect(tensor).toMatchObject({ dtype, shape });
      expect(tensor.address % 64).toBe(0);
      expect(Buffer.compare(tensor.bytes(), contentOf(index))).toBe(0);
    }
    expect(faultOf(() => rank.tensor('nothing')).code).toBe('ENGINE_CORRUPT');
    expect(rank.has('nothing')).toBe(false);
    rank.dispose();
    expect(readTimingCache(join(engine, 'model.cache'), 'a CPU')).toEqual(emptyTimingCache('a CPU'));
    expect(readTimingCache(join(engine, 'model.cache'), 'another CPU')).toBeUndefined();
  });
});

test('what a loader must know about kernels is kept as it was; engines without kernels have none', async () => {
  await withDirectory((root) => {
    const path = join(root, 'engine');
    const facts = { compiler: 'NVRTC 13.0', linear: { 'a "problem"': 'ring 1' } };
    const tensors = [{ name: 'kernels.common', dtype: 'u8', shape: [5] }] as const;
    const writer = createEngine({ path, replace: false }, DRAFT, [
      { plan: PLAN, kernelFacts: facts, tensors },
    ]);
    writer.write(0, 'kernels.common', new Uint8Array([1, 2, 3, 4, 5]));
    writer.commit({ tokenizerFiles: [], timingCache: emptyTimingCache('a GPU') });
    const rank = openEngineRank(path, EXPECTED);
    expect(rank.kernelFacts).toEqual(facts);
    expect([...rank.tensor('kernels.common').bytes()]).toEqual([1, 2, 3, 4, 5]);
    rank.dispose();
  });
  await withEngine((engine) => {
    const rank = openEngineRank(engine, EXPECTED);
    expect(rank.kernelFacts).toBeUndefined();
    rank.dispose();
  });
});

test('config.json has TensorRT-LLM’s keys in sorted order with two spaces', async () => {
  await withEngine((engine) => {
    const text = readFileSync(join(engine, MANIFEST_FILE), 'utf8');
    const config = JSON.parse(text) as Record<string, Record<string, unknown>>;
    expect(Object.keys(config)).toEqual(['aloft', 'builder_config', 'plugin_config']);
    for (const section of Object.values(config))
      expect(Object.keys(section)).toEqual(Object.keys(section).toSorted());
    expect(text).toContain('\n  "builder_config": {\n    "fp8": false,\n');
    expect(config['builder_config']).toEqual(DRAFT.builder_config);
    expect(config['plugin_config']).toEqual(DRAFT.plugin_config);
  });
});

test('the engine file is valid safetensors: no holes, data on a page', async () => {
  await withEngine((engine) => {
    const bytes = readFileSync(join(engine, FILE));
    const source = {
      byteLength: bytes.length,
      bytes: (at: number, length: number) => bytes.subarray(at, at + length),
    };
    const { tensors, dataStart } = parseSafetensors(source, (fault) => {
      throw new Error(fault);
    });
    expect(dataStart % DATA_ALIGNMENT_BYTES).toBe(0);
    let cursor = 0;
    for (const [name, { begin, end }] of tensors) {
      expect(begin).toBe(cursor);
      if (!name.startsWith(PADDING_PREFIX)) expect(begin % 64).toBe(0);
      cursor = end;
    }
    expect(cursor).toBe(bytes.length - dataStart);
  });
});

/** Changes one byte of a file. @param at from the end when negative */
function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = bytes[index]! ^ 1;
  writeFileSync(path, bytes);
}

function edit(engine: string, change: (config: Record<string, Record<string, unknown>>) => void): void {
  const path = join(engine, MANIFEST_FILE);
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>;
  change(config);
  writeFileSync(path, JSON.stringify(config));
}

test.each<[string, string, RegExp, (engine: string) => void]>([
  [
    'a flipped bit in the data',
    'ENGINE_CORRUPT',
    /chunk 2 of 3 \(near tensor 'large'\) does not match/,
    (e) => flip(join(e, FILE), -1),
  ],
  [
    'a flipped bit in the first chunk',
    'ENGINE_CORRUPT',
    /chunk 0 of 3 \(near tensor 'small'\)/,
    (e) => flip(join(e, FILE), DATA_ALIGNMENT_BYTES),
  ],
  ['a flipped bit in the header', 'ENGINE_CORRUPT', /header/, (e) => flip(join(e, FILE), 300)],
  [
    'a truncated file',
    'ENGINE_CORRUPT',
    /has \d+ bytes, config\.json says/,
    (e) => truncateSync(join(e, FILE), 5000),
  ],
  ['an empty file', 'ENGINE_CORRUPT', /has 0 bytes/, (e) => writeFileSync(join(e, FILE), '')],
  ['a missing file', 'ENGINE_NOT_FOUND', /rank0\.engine is missing/, (e) => rmSync(join(e, FILE))],
  ['a missing config', 'ENGINE_NOT_FOUND', /config\.json is missing/, (e) => rmSync(join(e, MANIFEST_FILE))],
  [
    'a malformed config',
    'ENGINE_CORRUPT',
    /not valid JSON/,
    (e) => writeFileSync(join(e, MANIFEST_FILE), '{'),
  ],
  [
    'a config of another type',
    'ENGINE_CORRUPT',
    /not a JSON object/,
    (e) => writeFileSync(join(e, MANIFEST_FILE), '7'),
  ],
  [
    'a missing key',
    'ENGINE_CORRUPT',
    /'\/builder_config' must have required properties num_heads/,
    (e) => edit(e, (c) => delete c['builder_config']!['num_heads']),
  ],
  [
    'another format version',
    'ENGINE_VERSION',
    /format version 99, this Aloft reads version \d+\./,
    (e) => edit(e, (c) => (c['aloft']!['format_version'] = 99)),
  ],
  [
    'a TensorRT-LLM engine',
    'ENGINE_VERSION',
    /belongs to a TensorRT-LLM engine/,
    (e) => edit(e, (c) => delete c['aloft']),
  ],
  [
    'a newer TensorRT-LLM engine',
    'ENGINE_VERSION',
    /belongs to a TensorRT-LLM engine/,
    (e) => writeFileSync(join(e, MANIFEST_FILE), '{"version":"0.8","pretrained_config":{}}'),
  ],
  [
    'a checkpoint',
    'ENGINE_NOT_FOUND',
    /Hugging Face checkpoint/,
    (e) => writeFileSync(join(e, MANIFEST_FILE), '{"architectures":["LlamaForCausalLM"]}'),
  ],
  [
    'an unrelated config',
    'ENGINE_NOT_FOUND',
    /not the configuration of an engine/,
    (e) => writeFileSync(join(e, MANIFEST_FILE), '{}'),
  ],
])('finds %s', async (_, code, message, damage) => {
  await withEngine((engine) => {
    damage(engine);
    for (const [, maxResidentBytes] of PLACEMENTS) {
      const fault = faultOf(() => openEngineRank(engine, { ...EXPECTED, maxResidentBytes }));
      expect(fault.code).toBe(code);
      expect(fault.message).toMatch(message);
      expect(fault.message).toContain(engine);
      expect(fault.kind.exit).toBe(2);
    }
  });
});

test.each<[Partial<EngineExpectation>, string, RegExp]>([
  [{ device: 'cuda' }, 'ENGINE_DEVICE', /built for 'cpu', this is 'cuda'/],
  [{ layoutVersion: 4 }, 'ENGINE_VERSION', /cpu layout 3, this Aloft reads layout 4/],
  [{ worldSize: 2 }, 'WORLD_SIZE_MISMATCH', /built for 1 ranks, 2 were started/],
  [{ rank: 1 }, 'ENGINE_CORRUPT', /no file for rank 1/],
])('refuses an engine that does not fit %j', async (expectation, code, message) => {
  await withEngine((engine) => {
    const fault = faultOf(() => openEngineRank(engine, { ...EXPECTED, ...expectation }));
    expect(fault.code).toBe(code);
    expect(fault.message).toMatch(message);
  });
});

test('a full check finds a flipped bit', async () => {
  await withEngine((engine) => {
    openEngineRank(engine, { ...EXPECTED, verification: 'full' }).dispose();
    flip(join(engine, FILE), -1);
    expect(faultOf(() => openEngineRank(engine, { ...EXPECTED, verification: 'full' })).message).toMatch(
      /chunk 2 of 3/,
    );
  });
});

test('a file that was put in the place of another is found', async () => {
  await withEngine((engine, root) => {
    const other = join(root, 'other');
    writeEngine(other);
    flip(join(other, FILE), 2000);
    copyFileSync(join(other, FILE), join(engine, FILE));
    expect(faultOf(() => openEngineRank(engine, { ...EXPECTED, verification: 'sample' })).message).toMatch(
      /header/,
    );
  });
});

test('refuses a directory that is not empty, and what is not an engine even with force', async () => {
  await withEngine((engine, root) => {
    const before = readFileSync(join(engine, FILE));
    expect(faultOf(() => writeEngine(engine)).code).toBe('OUTPUT_EXISTS');
    expect(readFileSync(join(engine, FILE)).equals(before)).toBe(true);
    writeFileSync(join(engine, 'stale'), '');
    writeEngine(engine, true);
    expect(existsSync(join(engine, 'stale'))).toBe(false);
    renameSync(join(engine, MANIFEST_FILE), join(engine, 'photos.jpg'));
    expect(faultOf(() => writeEngine(engine, true)).message).toMatch(/something other than an engine/);
    writeFileSync(join(root, 'file'), '');
    expect(faultOf(() => writeEngine(join(root, 'file'), true)).message).toMatch(/is a file/);
    expect(faultOf(() => writeEngine(join(root, 'file', 'below'))).code).toBe('OUTPUT_FAILED');
    expect(readdirSync(root).toSorted()).toEqual(['engine', 'file']);
  });
});

test('an unfinished engine leaves nothing, and leftovers of killed builds are removed', async () => {
  await withDirectory((root) => {
    const path = join(root, 'a', 'engine');
    const writer = createEngine({ path, replace: false }, DRAFT, [{ plan: PLAN, tensors: TENSORS }]);
    writer.write(0, 'small', contentOf(0));
    expect(faultOf(() => writer.write(0, 'large', contentOf(2))).message).toMatch(/where bytes is due/);
    expect(faultOf(() => writer.commit({ tokenizerFiles: [], timingCache: emptyTimingCache('') })).code).toBe(
      'INTERNAL',
    );
    writer.discard();
    expect(readdirSync(join(root, 'a'))).toEqual([]);
    writeFileSync(join(root, 'a', '.engine.building-999999999'), '');
    writeFileSync(join(root, 'a', '.other.building-999999999'), '');
    writeEngine(path);
    expect(readdirSync(join(root, 'a')).toSorted()).toEqual(['.other.building-999999999', 'engine']);
  });
});

test('the manifest reads back as it was written', async () => {
  await withEngine((engine) => {
    const manifest = readManifest(engine);
    expect(manifest.aloft).toMatchObject({
      ...DRAFT.aloft,
      format_version: ENGINE_FORMAT_VERSION,
      tokenizer_files: [],
    });
    expect(manifest.aloft.ranks).toHaveLength(1);
    expect(manifest.aloft.ranks[0]).toMatchObject({ file: FILE });
  });
});
