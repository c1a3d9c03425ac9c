/** Engines in words and tables. Pure. */
import { BYTES_PER_ELEMENT, elementCount, type DType } from '../../core/dtype.js';
import type { EngineManifest } from '../../engine/manifest.js';
import { plural, formatBytes, formatTable } from '../cli/terminal.js';

/** Rows of a table of an engine's properties and limits. */
export function manifestRows({
  aloft,
  builder_config: build,
  plugin_config: plugin,
}: EngineManifest): (readonly [string, string])[] {
  const { quantised_format: format, quantised_parts: parts } = aloft;
  const quantised = format === null ? '' : `, ${format}: ${parts.join(', ')}`;
  const device =
    aloft.device_architecture === null ? aloft.device : `${aloft.device} ${aloft.device_architecture}`;
  return [
    ['model', `${build.name} (${aloft.architecture}), ${build.precision}${quantised}`],
    [
      'size',
      `${build.num_layers} layers, hidden ${build.hidden_size}, ${build.num_heads} heads (${build.num_kv_heads} key/value), vocabulary ${build.vocab_size}`,
    ],
    ['device', `${device}, ${plural(build.tensor_parallel, 'rank')}`],
    [
      'limits',
      `${build.max_batch_size} sequences, ${lengthLimits(aloft, build)}, ${plural(aloft.max_beam_width, 'beam')}`,
    ],
    ...embeddingRows(aloft.embedding),
    ['KV cache', `${aloft.kv_cache_dtype}, blocks of ${plugin.tokens_per_block} tokens`],
    ['end ids', aloft.end_ids.length === 0 ? 'none' : aloft.end_ids.join(', ')],
    ['tokenizer files', aloft.tokenizer_files.length === 0 ? 'none' : aloft.tokenizer_files.join(', ')],
    ['written by', `${aloft.created_by}, format ${aloft.format_version}, layout ${aloft.layout_version}`],
  ];
}

/** A build without `--max_output_len` only limits what prompt and output have together. */
function lengthLimits(
  { output_is_limited: isLimited = true }: EngineManifest['aloft'],
  { max_input_len: input, max_output_len: output }: EngineManifest['builder_config'],
): string {
  return isLimited
    ? `prompts of ${input} and outputs of ${output} tokens`
    : `prompts of ${input} tokens, ${input + output} with their outputs`;
}

function embeddingRows(embedding: EngineManifest['aloft']['embedding']): readonly [string, string][] {
  if (embedding === undefined) return [];
  return [['embeddings', `pooling ${embedding.pooling}${embedding.is_normalised ? ', of length 1' : ''}`]];
}

export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  /** Shape as stored, padding and tiling included. */
  readonly shape: readonly number[];
}

export function describeTensors(tensors: readonly StoredTensor[]): string {
  const bytesOf = ({ dtype, shape }: StoredTensor) => elementCount(shape) * BYTES_PER_ELEMENT[dtype];
  const rows = tensors.map((tensor) => [
    tensor.name,
    tensor.dtype,
    `[${tensor.shape.join(', ')}]`,
    formatBytes(bytesOf(tensor)),
  ]);
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  return formatTable([...rows, [plural(tensors.length, 'tensor'), '', '', formatBytes(total)]]);
}
