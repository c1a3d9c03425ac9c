/** The metadata of a GGUF file as the config.json that it was made from, as far as the model files read one. */
import { AloftError } from '../../core/errors.js';
import { JsonFile } from '../checkpoint/json-file.js';
import type { GgufFile, GgufValue } from './gguf-file.js';

/** An architecture of GGUF and how its files differ from the checkpoints that they were made from. */
export interface GgufArchitecture {
  readonly name: string;
  /** Value of `architectures` in config.json. */
  readonly published: string;
  /** Rows of queries and keys were reordered, so that neighbours are rotated together. */
  readonly isInterleaved: boolean;
  /** Norms have one added to their weights. */
  readonly hasShiftedNorms: boolean;
  readonly fields?: (metadata: GgufMetadata) => Readonly<Record<string, unknown>>;
}

/** Gemma's scores are divided by the root of the head size, but in the largest models by that of hidden size / heads. */
const gemmaScoreDim =
  (largestBlockCount: number) =>
  (metadata: GgufMetadata): number =>
    metadata.number('block_count') === largestBlockCount
      ? metadata.number('embedding_length') / metadata.number('attention.head_count')
      : metadata.number('attention.key_length');

const gemmaFields = (metadata: GgufMetadata, largestBlockCount: number) => ({
  hidden_activation: 'gelu_pytorch_tanh',
  sliding_window: metadata.number('attention.sliding_window'),
  query_pre_attn_scalar: gemmaScoreDim(largestBlockCount)(metadata),
});

const ARCHITECTURES: readonly GgufArchitecture[] = [
  { name: 'llama', published: 'LlamaForCausalLM', isInterleaved: true, hasShiftedNorms: false },
  { name: 'qwen2', published: 'Qwen2ForCausalLM', isInterleaved: false, hasShiftedNorms: false },
  { name: 'qwen3', published: 'Qwen3ForCausalLM', isInterleaved: false, hasShiftedNorms: false },
  {
    name: 'gemma2',
    published: 'Gemma2ForCausalLM',
    isInterleaved: false,
    hasShiftedNorms: true,
    fields: (metadata) => ({
      ...gemmaFields(metadata, 46),
      attn_logit_softcapping: metadata.number('attn_logit_softcapping', 50),
      final_logit_softcapping: metadata.number('final_logit_softcapping', 30),
    }),
  },
  {
    name: 'gemma3',
    published: 'Gemma3ForCausalLM',
    isInterleaved: false,
    hasShiftedNorms: true,
    fields: (metadata) => gemmaFields(metadata, 62),
  },
];

/** @throws {AloftError} ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function ggufArchitecture({ path, metadata }: GgufFile): GgufArchitecture {
  const name = metadata.get('general.architecture');
  const found = ARCHITECTURES.find((one) => one.name === name);
  if (found === undefined)
    throw new AloftError(
      'ARCHITECTURE_UNKNOWN',
      `${path}: its architecture is '${String(name)}'. GGUF files of ${ARCHITECTURES.map((one) => one.name).join(', ')} can be read; for others take the Hugging Face checkpoint.`,
    );
  if (Number(metadata.get(`${found.name}.expert_count`) ?? 0) > 0)
    throw new AloftError(
      'UNSUPPORTED',
      `${path} holds a mixture of experts, which is read from Hugging Face checkpoints only.`,
    );
  return found;
}

/** Members of an architecture's section. */
class GgufMetadata {
  readonly #file: GgufFile;
  readonly #architecture: string;

  constructor(file: GgufFile, architecture: string) {
    this.#file = file;
    this.#architecture = architecture;
  }

  value(name: string): GgufValue | undefined {
    return this.#file.metadata.get(`${this.#architecture}.${name}`);
  }

  /** @throws {AloftError} CHECKPOINT_CONFIG */
  number(name: string, fallback?: number): number {
    const value = this.value(name) ?? fallback;
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
    throw new AloftError(
      'CHECKPOINT_CONFIG',
      `${this.#file.path}: '${this.#architecture}.${name}' is ${value === undefined ? 'missing' : 'no number'}. Convert the checkpoint again.`,
    );
  }
}

/** @throws {AloftError} CHECKPOINT_CONFIG, UNSUPPORTED */
export function ggufConfig(file: GgufFile, architecture: GgufArchitecture): JsonFile {
  const metadata = new GgufMetadata(file, architecture.name);
  const [hidden, heads] = [metadata.number('embedding_length'), metadata.number('attention.head_count')];
  const id = (name: string) => file.metadata.get(`tokenizer.ggml.${name}_token_id`);
  return new JsonFile(file.path, {
    architectures: [architecture.published],
    hidden_size: hidden,
    intermediate_size: metadata.number('feed_forward_length'),
    num_hidden_layers: metadata.number('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: metadata.number('attention.head_count_kv', heads),
    head_dim: metadata.number('attention.key_length', hidden / heads),
    vocab_size: file.tensors.get('token_embd.weight')?.shape[0],
    max_position_embeddings: metadata.number('context_length'),
    rms_norm_eps: singlePrecision(metadata.number('attention.layer_norm_rms_epsilon')),
    rope_theta: metadata.number('rope.freq_base', 10_000),
    rope_scaling: ropeScaling(file, metadata),
    tie_word_embeddings: !file.tensors.has('output.weight'),
    bos_token_id: id('bos'),
    eos_token_id: [...new Set([id('eos'), id('eot'), id('eom')])].filter((one) => one !== undefined),
    pad_token_id: id('padding'),
    ...architecture.fields?.(metadata),
  });
}

/** The shortest decimal that is this f32: what the number was before it was written. */
const singlePrecision = (value: number): number => Number(value.toPrecision(7));

function ropeScaling(file: GgufFile, metadata: GgufMetadata): Record<string, unknown> | null {
  const divisors = file.tensors.get('rope_freqs.weight');
  if (divisors !== undefined) {
    // LLaMA 3's scaling, as a divisor of each pair: the longrope of one list.
    const bytes = Uint8Array.from(file.area.bytes(divisors.offset, divisors.byteLength));
    const factors = [...new Float32Array(bytes.buffer)];
    const original = metadata.number('context_length');
    return {
      rope_type: 'longrope',
      short_factor: factors,
      long_factor: factors,
      attention_factor: 1,
      original_max_position_embeddings: original,
    };
  }
  const type = metadata.value('rope.scaling.type');
  if (type === undefined || type === 'none') return null;
  const original = metadata.value('rope.scaling.original_context_length');
  return {
    rope_type: type,
    factor: metadata.number('rope.scaling.factor'),
    ...(original === undefined ? {} : { original_max_position_embeddings: Number(original) }),
  };
}
