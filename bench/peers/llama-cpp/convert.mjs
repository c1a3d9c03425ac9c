/**
 * node convert.mjs --model_dir DIR --output_dir DIR
 * Writes model-f16.gguf, model-q8_0.gguf, model-q4_0.gguf and model-q4_k.gguf from a Hugging Face LLaMA directory with f16 safetensors, so that both engines
 * run the same weights. The vocabulary has the right length and placeholder texts: prompts are given as token ids.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openCheckpoint } from './checkpoint.mjs';
import { toF16, toF32, toQ4_0, toQ4_K, toQ8_0 } from './encode.mjs';
import { writeGguf } from './gguf.mjs';

const LAYER_TENSORS = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** llama.cpp rotates neighbouring values, Hugging Face halves of a head: row d + half * dim/2 moves to row 2d + half. */
function permuteHeads(halves, [rows, columns], headCount) {
  const headDim = rows / headCount;
  const out = new Uint16Array(halves.length);
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(row / headDim);
    const [d, half] = [row % (headDim / 2), Math.floor((row % headDim) / (headDim / 2))];
    out.set(halves.subarray(row * columns, (row + 1) * columns), (head * headDim + 2 * d + half) * columns);
  }
  return out;
}

function* tensorNames(config) {
  yield ['token_embd.weight', 'model.embed_tokens.weight'];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    for (const [ours, theirs] of Object.entries(LAYER_TENSORS))
      yield [`blk.${layer}.${ours}.weight`, `model.layers.${layer}.${theirs}.weight`];
  }
  yield ['output_norm.weight', 'model.norm.weight'];
  if (!config.tie_word_embeddings) yield ['output.weight', 'lm_head.weight'];
}

function tensors(checkpoint, matrixType) {
  const { config } = checkpoint;
  const encoders = { F32: toF32, F16: toF16, Q8_0: toQ8_0, Q4_0: toQ4_0, Q4_K: toQ4_K };
  return [...tensorNames(config)].map(([name, source]) => {
    const shape = checkpoint.shape(source);
    const type = shape.length === 1 ? 'F32' : matrixType;
    const load = () => {
      const halves = checkpoint.halves(source);
      if (name.includes('attn_q')) return permuteHeads(halves, shape, config.num_attention_heads);
      if (name.includes('attn_k')) return permuteHeads(halves, shape, config.num_key_value_heads);
      return halves;
    };
    return { name, type, shape, data: () => encoders[type](load()) };
  });
}

/** Ids 0 to 2 are the special tokens, the next 256 the bytes, the rest unique texts. */
function vocabulary(tokenCount) {
  const special = ['<unk>', '<s>', '</s>'];
  const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, '0');
  const texts = Array.from({ length: tokenCount }, (_, id) =>
    id < 3 ? special[id] : id < 259 ? `<0x${hex(id - 3)}>` : `\u2581w${id}`,
  );
  const types = texts.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1));
  return { texts, types, scores: texts.map((_, id) => (id < 259 ? 0 : -id)) };
}

function metadata(config, fileType) {
  const { texts, types, scores } = vocabulary(config.vocab_size);
  return [
    ['general.architecture', 'string', 'llama'],
    ['general.name', 'string', 'aloft-bench'],
    ['general.file_type', 'u32', fileType],
    ['llama.context_length', 'u32', config.max_position_embeddings],
    ['llama.embedding_length', 'u32', config.hidden_size],
    ['llama.block_count', 'u32', config.num_hidden_layers],
    ['llama.feed_forward_length', 'u32', config.intermediate_size],
    ['llama.attention.head_count', 'u32', config.num_attention_heads],
    ['llama.attention.head_count_kv', 'u32', config.num_key_value_heads],
    ['llama.attention.layer_norm_rms_epsilon', 'f32', config.rms_norm_eps],
    ['llama.rope.dimension_count', 'u32', config.hidden_size / config.num_attention_heads],
    ['llama.rope.freq_base', 'f32', config.rope_theta ?? 10000],
    ['llama.vocab_size', 'u32', config.vocab_size],
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'array:string', texts],
    ['tokenizer.ggml.scores', 'array:f32', scores],
    ['tokenizer.ggml.token_type', 'array:i32', types],
    ['tokenizer.ggml.unknown_token_id', 'u32', 0],
    ['tokenizer.ggml.bos_token_id', 'u32', 1],
    ['tokenizer.ggml.eos_token_id', 'u32', 2],
  ];
}

const { values } = parseArgs({ options: { model_dir: { type: 'string' }, output_dir: { type: 'string' } } });
if (values.model_dir === undefined || values.output_dir === undefined) {
  console.error('usage: node convert.mjs --model_dir DIR --output_dir DIR');
  process.exit(2);
}
mkdirSync(values.output_dir, { recursive: true });
const checkpoint = openCheckpoint(values.model_dir);
for (const [type, fileType] of [
  ['F16', 1],
  ['Q8_0', 7],
  ['Q4_0', 2],
  ['Q4_K', 14],
]) {
  const path = join(values.output_dir, `model-${type.toLowerCase()}.gguf`);
  writeGguf(path, metadata(checkpoint.config, fileType), tensors(checkpoint, type));
  console.log(path);
}
