/** GGUF files with the weights of tiny checkpoints, written as llama.cpp's converter writes them: the logits of the checkpoints. */
import { cpSync, existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../builder/checkpoint/checkpoint.js';
import { openCheckpoint } from '../builder/checkpoint/open.js';
import { openSafetensorsFile } from '../builder/checkpoint/safetensors-file.js';
import {
  type GgufMetadataValue,
  type GgufTestTensor,
  writeGgufFile,
} from '../builder/testing/gguf-writer.js';
import { floatsOf } from '../builder/testing/row-major-layout.js';
import { faultOf } from '../builder/testing/fault.js';
import { floatToHalf } from '../core/dtype.js';
import { inverseFrequencies } from '../ops/rope/rotation.js';
import { loadChatTemplate } from '../text/load-chat-template.js';
import { byteLevelJson, directoryWith } from '../text/testing/test-tokenizers.js';
import { loadTokenizer } from '../text/tokenizer/load.js';
import { readSentencePieceModel } from '../text/tokenizer/sentencepiece.js';
import { type BuildFlags, withModel } from './build-and-open.js';
import { allLogits, shareOfRange } from './logits.js';
import { referenceJson, referencePath, referenceTensors } from './reference-data.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aloft-test-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Config = Readonly<Record<string, number>> & {
  readonly rope_scaling?: Readonly<Record<string, unknown>>;
};

/** Families, their architectures in GGUF, and what their files say beside the sizes. */
const FAMILIES: readonly {
  readonly name: string;
  readonly architecture: string;
  readonly further?: (config: Config) => Readonly<Record<string, number | string>>;
  /** What GGUF files cannot say otherwise: the checkpoint with this config is the reference. */
  readonly changed?: Readonly<Record<string, number>>;
}[] = [
  { name: 'mistral-null', architecture: 'llama' },
  {
    name: 'llama-linear',
    architecture: 'llama',
    further: () => ({ 'rope.scaling.type': 'linear', 'rope.scaling.factor': 4 }),
  },
  { name: 'llama3', architecture: 'llama' },
  { name: 'qwen2', architecture: 'qwen2' },
  { name: 'qwen3', architecture: 'qwen3' },
  {
    name: 'gemma2',
    architecture: 'gemma2',
    further: (config) => ({
      'attention.sliding_window': config['sliding_window']!,
      attn_logit_softcapping: config['attn_logit_softcapping']!,
      final_logit_softcapping: config['final_logit_softcapping']!,
    }),
    changed: { query_pre_attn_scalar: 24 },
  },
  {
    name: 'gemma3',
    architecture: 'gemma3',
    further: (config) => ({
      'attention.sliding_window': config['sliding_window']!,
      'rope.scaling.type': 'linear',
      'rope.scaling.factor': 8,
    }),
    changed: { query_pre_attn_scalar: 24, sliding_window_pattern: 6 },
  },
];

const LAYER_NAMES: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

function ggufName(name: string, isGemma: boolean): string {
  const whole: Readonly<Record<string, string>> = {
    'model.embed_tokens.weight': 'token_embd.weight',
    'model.norm.weight': 'output_norm.weight',
    'lm_head.weight': 'output.weight',
  };
  const [, layer, part, ending] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined) return whole[name]!;
  const norm =
    part === 'post_attention_layernorm' ? (isGemma ? 'post_attention_norm' : 'ffn_norm') : undefined;
  return `blk.${layer}.${norm ?? LAYER_NAMES[part]}.${ending}`;
}

/** Row d + half * headDim / 2 of a head moves to row 2d + half. */
function neighbours(values: Float32Array, rows: number, headDim: number): Float32Array {
  const columns = values.length / rows;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const [d, half] = [row % (headDim / 2), Math.floor((row % headDim) / (headDim / 2))];
    const to = Math.floor(row / headDim) * headDim + 2 * d + half;
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Blocks of 32: a float16 scale and signed bytes. */
function asQ8(values: Float32Array): Uint8Array {
  const out = Buffer.alloc((values.length / 32) * 34);
  for (let block = 0; block * 32 < values.length; block++) {
    const own = values.subarray(block * 32, (block + 1) * 32);
    const scale = own.reduce((a, b) => Math.max(a, Math.abs(b)), 0) / 127;
    out.writeUInt16LE(floatToHalf(scale), block * 34);
    own.forEach((value, i) => out.writeInt8(scale === 0 ? 0 : Math.round(value / scale), block * 34 + 2 + i));
  }
  return out;
}

/**
 * Blocks of 32: a float16 scale and halves of bytes, 8 for zero. The largest magnitude is 7 steps, as importance-weighted files
 * have it, and not -8 as quantising it again would make it.
 */
function asQ4(values: Float32Array): Uint8Array {
  const out = Buffer.alloc((values.length / 32) * 18);
  for (let block = 0; block * 32 < values.length; block++) {
    const own = values.subarray(block * 32, (block + 1) * 32);
    const scale = own.reduce((a, b) => Math.max(a, Math.abs(b)), 0) / 7;
    out.writeUInt16LE(floatToHalf(scale), block * 18);
    const codes = own.map((value) => (scale === 0 ? 8 : Math.round(value / scale) + 8));
    for (let i = 0; i < 16; i++) out.writeUInt8(codes[i]! | (codes[16 + i]! << 4), block * 18 + 2 + i);
  }
  return out;
}

const MATRIX_TYPES = { F32: 0, F16: 1, Q8_0: 8, Q4_0: 2 } as const;
type MatrixType = keyof typeof MATRIX_TYPES;

const ENCODERS: Readonly<Record<MatrixType, (values: Float32Array) => Uint8Array>> = {
  F32: bytesOf,
  F16: (values) => bytesOf(Uint16Array.from(values, floatToHalf)),
  Q8_0: asQ8,
  Q4_0: asQ4,
};

function writeFamily({ name, architecture, further }: (typeof FAMILIES)[number], type: MatrixType): string {
  const config = referenceJson(`families/${name}/config.json`) as Config;
  const isGemma = architecture.startsWith('gemma');
  const headDim = config['head_dim'] ?? config['hidden_size']! / config['num_attention_heads']!;
  const file = openSafetensorsFile(referencePath(`families/${name}/model.safetensors`));
  const tensors = new Map<string, GgufTestTensor>();
  for (const source of file.names) {
    const tensor = file.read(source);
    let values = floatsOf(tensor);
    const { shape } = tensor;
    if (architecture === 'llama' && /[qk]_proj/.test(source)) values = neighbours(values, shape[0]!, headDim);
    if (isGemma && source.endsWith('norm.weight')) values = values.map((value) => value + 1);
    // Rows that are not whole blocks stay as they are, as vectors do.
    const own = shape.length === 1 || (type.startsWith('Q') && shape[1]! % 32 !== 0) ? 'F32' : type;
    tensors.set(ggufName(source, isGemma), { shape, type: MATRIX_TYPES[own], bytes: ENCODERS[own](values) });
  }
  file.dispose();
  if (config.rope_scaling?.['rope_type'] === 'llama3')
    tensors.set('rope_freqs.weight', llama3Divisors(config, headDim));
  const section = {
    block_count: config['num_hidden_layers']!,
    context_length: config['max_position_embeddings']!,
    embedding_length: config['hidden_size']!,
    feed_forward_length: config['intermediate_size']!,
    'attention.head_count': config['num_attention_heads']!,
    'attention.head_count_kv': config['num_key_value_heads']!,
    'attention.key_length': headDim,
    'attention.layer_norm_rms_epsilon': config['rms_norm_eps']!,
    'rope.freq_base': config['rope_theta']! + 0.0001, // a number that is written as f32
    ...further?.(config),
  };
  const metadata = Object.fromEntries(
    Object.entries(section).map(([key, value]) => [`${architecture}.${key}`, value]),
  );
  const path = join(folder, `${name}-${type}.gguf`);
  writeGgufFile(path, { 'general.architecture': architecture, ...metadata }, tensors);
  return path;
}

/** LLaMA 3's scaling as a divisor of each pair's frequency. */
function llama3Divisors(config: Config, headDim: number): GgufTestTensor {
  const scaling = config.rope_scaling as unknown as Record<string, number>;
  const plain = { theta: config['rope_theta']!, scaling: { type: 'none' } } as const;
  const scaled = {
    theta: config['rope_theta']!,
    scaling: {
      type: 'llama3',
      factor: scaling['factor']!,
      lowFrequencyFactor: scaling['low_freq_factor']!,
      highFrequencyFactor: scaling['high_freq_factor']!,
      originalMaxPositions: scaling['original_max_position_embeddings']!,
    },
  } as const;
  const frequencies = inverseFrequencies(scaled, headDim, 0);
  const divisors = inverseFrequencies(plain, headDim, 0).map((value, pair) => value / frequencies[pair]!);
  return { shape: [headDim / 2], type: 0, bytes: bytesOf(Float32Array.from(divisors)) };
}

async function logitsOf(
  path: string,
  name: string,
  dtype: string,
  flags: BuildFlags = {},
): Promise<Float32Array> {
  const { prompts } = referenceJson(`families/${name}/reference.json`) as {
    prompts: readonly { readonly ids: readonly number[] }[];
  };
  return withModel({ model_dir: path, dtype, ...flags }, { maxKvTokens: 64 }, (executor) =>
    allLogits(executor, prompts[0]!.ids),
  );
}

async function expectedOf({ name, changed }: (typeof FAMILIES)[number]): Promise<Float32Array> {
  if (changed === undefined)
    return referenceTensors(`families/${name}/logits.safetensors`).get('prompt0.logits')!;
  const directory = join(folder, name);
  cpSync(referencePath(`families/${name}`), directory, { recursive: true });
  const config = { ...(referenceJson(`families/${name}/config.json`) as Config), ...changed };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
  return logitsOf(directory, name, 'float32');
}

describe.each(FAMILIES)('a GGUF file of $name', (family) => {
  test.each([
    ['F32', 'float32', 2e-5],
    ['F16', 'float16', 2e-3],
    ['Q8_0', 'float32', 4e-2],
  ] as const)('of %s has the logits of the checkpoint as %s', async (type, dtype, tolerance) => {
    const path = writeFamily(family, type);
    const logits = await logitsOf(path, family.name, dtype);
    expect(shareOfRange(logits, await expectedOf(family))).toBeLessThan(tolerance);
  });
});

test('4-bit blocks of a GGUF file are taken over as int4 in groups of 32', async () => {
  const family = FAMILIES.find(({ name }) => name === 'llama3')!;
  const path = writeFamily(family, 'Q4_0');
  const numbers = await logitsOf(path, family.name, 'float32');
  const codes = await logitsOf(path, family.name, 'float32', { quantization: 'int4_g32' });
  expect(shareOfRange(codes, numbers)).toBeLessThan(1e-3); // activations of 16 bits
  const again = await logitsOf(path, family.name, 'float32', { quantization: 'int4' });
  expect(shareOfRange(again, numbers)).toBeGreaterThan(5e-3); // other groups, so quantised again
});

interface BytePairs {
  readonly added_tokens: readonly { readonly content: string; readonly special: boolean }[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly string[])[];
  };
}

/** The smallest file that opens: a tokenizer, and sizes of a model without weights. */
function openWith(tokenizer: Readonly<Record<string, GgufMetadataValue>>): Checkpoint {
  const path = join(folder, 'tokenizer.gguf');
  const sizes = {
    block_count: 1,
    context_length: 64,
    embedding_length: 8,
    feed_forward_length: 8,
    'attention.head_count': 1,
    'attention.layer_norm_rms_epsilon': 0.00001,
  };
  const section = Object.fromEntries(Object.entries(sizes).map(([key, value]) => [`llama.${key}`, value]));
  const embedding = { shape: [100, 8], type: 0, bytes: new Uint8Array(3200) };
  const metadata = { 'general.architecture': 'llama', ...section, ...tokenizer };
  writeGgufFile(path, metadata, new Map([['token_embd.weight', embedding]]));
  return openCheckpoint(path);
}

describe('the tokenizer of a GGUF file', () => {
  const TEXTS = ['hello the world', ' stop 你好 🙂 é', 'hello<|end|>hello', '[tool call] the'];

  test('of SentencePiece gives the ids of its model', async () => {
    const { model, cases } = referenceJson('sentencepiece/bpe.json') as {
      readonly model: string;
      readonly cases: readonly { readonly text: string; readonly ids: readonly number[] }[];
    };
    const { pieces } = readSentencePieceModel(Buffer.from(model, 'base64'), 'bpe.json');
    const checkpoint = openWith({
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': pieces.map(({ text }) => text),
      'tokenizer.ggml.scores': pieces.map(({ score }) => score + 1e-9),
      'tokenizer.ggml.token_type': pieces.map(({ type }) => type),
      'tokenizer.ggml.bos_token_id': 1,
      'tokenizer.ggml.eos_token_id': 2,
      'tokenizer.chat_template': '{{ messages }}',
    });
    const tokenizer = await loadTokenizer(checkpoint.tokenizerDirectory!);
    for (const { text, ids } of cases)
      expect([text, await tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids]);
    expect([tokenizer.bosId, tokenizer.eosId]).toEqual([1, 2]);
    expect(await loadChatTemplate(checkpoint.tokenizerDirectory!, {})).toBeDefined();
    checkpoint.tensors.dispose();
    expect(existsSync(checkpoint.tokenizerDirectory!)).toBe(false);
  });

  test('of byte pairs gives the ids of its tokenizer.json', async () => {
    const json = byteLevelJson() as unknown as BytePairs;
    const tokens = Object.entries(json.model.vocab).toSorted(([, a], [, b]) => a - b);
    const special = json.added_tokens.filter(({ content }) => !(content in json.model.vocab));
    const texts = [...tokens.map(([text]) => text), ...special.map(({ content }) => content)];
    const controls = new Map(json.added_tokens.map((token) => [token.content, token.special ? 3 : 4]));
    const checkpoint = openWith({
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'llama-bpe',
      'tokenizer.ggml.tokens': texts,
      'tokenizer.ggml.token_type': texts.map((text) => controls.get(text) ?? 1),
      'tokenizer.ggml.merges': json.model.merges.map((pair) => pair.join(' ')),
      'tokenizer.ggml.add_bos_token': false,
    });
    const tokenizer = await loadTokenizer(checkpoint.tokenizerDirectory!);
    const original = await loadTokenizer(await directoryWith({ 'tokenizer.json': json }));
    const options = { addSpecialTokens: false };
    for (const text of TEXTS)
      expect([text, await tokenizer.encode(text, options)]).toEqual([
        text,
        await original.encode(text, options),
      ]);
    checkpoint.tensors.dispose();
  });

  test('that cannot be read is a warning', () => {
    const { warnings, tokenizerFiles, tensors } = openWith({
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'deepseek-llm',
    });
    expect(tokenizerFiles).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/has the splits 'deepseek-llm', which cannot be read/)]);
    tensors.dispose();
  });
});

describe('a GGUF file is refused', () => {
  const sizes = { 'llama.block_count': 1 };
  const write = (
    metadata: Readonly<Record<string, GgufMetadataValue>>,
    tensors = new Map<string, GgufTestTensor>(),
  ) => {
    const path = join(folder, 'bad.gguf');
    writeGgufFile(path, metadata, tensors);
    return path;
  };
  const oddTensor = new Map([['x.weight', { shape: [8], type: 16, bytes: new Uint8Array(32) }]]);
  const whole = {
    'general.architecture': 'llama',
    'llama.block_count': 1,
    'llama.context_length': 64,
    'llama.embedding_length': 8,
    'llama.feed_forward_length': 8,
    'llama.attention.head_count': 1,
    'llama.attention.layer_norm_rms_epsilon': 0.00001,
  };
  const embedding = { shape: [4, 8], type: 0, bytes: new Uint8Array(128) };

  test.each([
    [
      'of another architecture',
      'ARCHITECTURE_UNKNOWN',
      /'bloom'\. GGUF files of llama, qwen2/,
      () => write({ 'general.architecture': 'bloom' }),
    ],
    [
      'without sizes',
      'CHECKPOINT_CONFIG',
      /'llama\.embedding_length' is missing/,
      () => write({ 'general.architecture': 'llama', ...sizes }),
    ],
    [
      'with experts',
      'UNSUPPORTED',
      /mixture of experts/,
      () => write({ 'general.architecture': 'llama', 'llama.expert_count': 8 }),
    ],
    [
      'with tensors of another type',
      'UNSUPPORTED',
      /1 tensors of type 16 .* are F32, F16, Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16: convert it/,
      () => write(whole, new Map([['token_embd.weight', embedding], ...oddTensor])),
    ],
    [
      'with rows that are no whole blocks',
      'CHECKPOINT_CORRUPT',
      /rows of 8 in tensor 'token_embd\.weight' are not whole blocks of Q8_0/,
      () => write(whole, new Map([['token_embd.weight', { ...embedding, type: 8 }]])),
    ],
    [
      'that is cut',
      'CHECKPOINT_CORRUPT',
      /ends before tensor 'token_embd\.weight' does|ends within its header/,
      () => {
        const path = write(whole, new Map([['token_embd.weight', embedding]]));
        truncateSync(path, statSync(path).size - 64);
        return path;
      },
    ],
    [
      'that is none',
      'CHECKPOINT_CORRUPT',
      /does not begin as a GGUF file/,
      () => {
        const path = join(folder, 'none.gguf');
        writeFileSync(path, 'a text that is longer than the header of a file');
        return path;
      },
    ],
  ] as const)('%s', (_, code, message, prepare) => {
    const fault = faultOf(() => openCheckpoint(prepare()));
    expect(fault).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});
