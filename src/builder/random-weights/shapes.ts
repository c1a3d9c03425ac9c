/** Published LLaMA sizes by name, for engines without a checkpoint. */
import { AloftError, suggestion } from '../../core/errors.js';

/** The fields of config.json that say how large a LLaMA model is. */
export interface LlamaShape {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly max_position_embeddings: number;
  readonly vocab_size: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

type Sizes = readonly [hidden: number, intermediate: number, layers: number, heads: number, kvHeads: number];

const LLAMA1 = { max_position_embeddings: 2048, vocab_size: 32000, rms_norm_eps: 1e-6, rope_theta: 10000 };
const LLAMA2 = { ...LLAMA1, max_position_embeddings: 4096, rms_norm_eps: 1e-5 };
const LLAMA3 = { ...LLAMA2, max_position_embeddings: 8192, vocab_size: 128256, rope_theta: 500000 };

function shape(family: typeof LLAMA1, [hidden, intermediate, layers, heads, kvHeads]: Sizes): LlamaShape {
  return {
    ...family,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
  };
}

/** TensorRT-LLM's benchmark has the first four names; its llama_70b has LLaMA-2's grouped heads. */
export const NAMED_SHAPES: Readonly<Record<string, LlamaShape>> = {
  llama_7b: shape(LLAMA1, [4096, 11008, 32, 32, 32]),
  llama_13b: shape(LLAMA1, [5120, 13824, 40, 40, 40]),
  llama_30b: shape(LLAMA1, [6656, 17920, 60, 52, 52]),
  llama_70b: shape(LLAMA1, [8192, 28672, 80, 64, 8]),
  llama_65b: shape(LLAMA1, [8192, 22016, 80, 64, 64]),
  llama2_7b: shape(LLAMA2, [4096, 11008, 32, 32, 32]),
  llama2_13b: shape(LLAMA2, [5120, 13824, 40, 40, 40]),
  llama2_70b: shape(LLAMA2, [8192, 28672, 80, 64, 8]),
  llama3_8b: shape(LLAMA3, [4096, 14336, 32, 32, 8]),
  llama3_70b: shape(LLAMA3, [8192, 28672, 80, 64, 8]),
  tinyllama_1b: shape({ ...LLAMA1, rms_norm_eps: 1e-5 }, [2048, 5632, 22, 32, 4]),
};

/** config.json of a checkpoint with this shape; its tokens 0, 1 and 2 are `<unk>`, `<s>` and `</s>`. */
export function configFields(llama: LlamaShape): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    attention_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
    hidden_act: 'silu',
    initializer_range: WEIGHT_DEVIATION,
    mlp_bias: false,
    model_type: 'llama',
    tie_word_embeddings: false,
    torch_dtype: 'float16',
    ...llama,
  };
}

/** Standard deviation of random matrices: the initialisation of the published models, under which activations stay of order one. */
export const WEIGHT_DEVIATION = 0.02;

/** @throws {AloftError} USAGE with the nearest name */
export function namedShape(name: string): LlamaShape {
  const found = NAMED_SHAPES[name];
  if (found !== undefined) return found;
  const names = Object.keys(NAMED_SHAPES);
  const near = suggestion(name, names);
  throw new AloftError(
    'USAGE',
    `There is no model shape '${name}'. ${near === undefined ? `Known are ${names.join(', ')}.` : `Did you mean '${near}'?`}`,
  );
}
