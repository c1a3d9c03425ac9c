/**
 * Configurations of checkpoints whose weights are FP8 E4M3 numbers with a scale for each tensor or each output channel:
 * `quant_method` "fp8" (written by AutoFP8 and others) and "compressed-tensors" with the format "float-quantized" (written by
 * llm-compressor). Fields are facts of the formats, which vLLM and transformers read alike.
 */
import { FP8_PER_CHANNEL } from '../../plan/weight-format.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import type { Quantisation } from '../passes/quantise.js';
import { moduleNames } from './module-names.js';

export const FP8_METHODS = ['fp8', 'compressed-tensors'] as const;

/** FP8 weights of a checkpoint. A scale of a tensor is taken for each of its channels. */
export interface Fp8Quantisation extends Quantisation {
  readonly method: (typeof FP8_METHODS)[number];
}

/** Ends with what is not supported. */
type Refuse = (what: string) => never;

const STATIC_INPUTS = 'inputs that are rounded with scales of the checkpoint';
const BLOCKS = 'scales of blocks of weights';
const CACHE_SCALES = "scales of the KV cache ('kv_cache_scheme')";

/** Modules that multiply nothing, so that no method quantises them: where the head is tied, it has their weights. */
const EMBEDDINGS = ['embed_tokens', 'word_embeddings'];

export function fp8Quantisation(
  method: Fp8Quantisation['method'],
  section: JsonFile,
  refuse: Refuse,
): Fp8Quantisation {
  if (section.has('kv_cache_scheme')) refuse(CACHE_SCALES);
  return method === 'fp8' ? publishedFp8(section, refuse) : compressedTensors(section, refuse);
}

/** The head is dense, whether the list of modules names it or not. */
function publishedFp8(section: JsonFile, refuse: Refuse): Fp8Quantisation {
  if (section.has('weight_block_size')) refuse(`${BLOCKS} ('weight_block_size')`);
  const numbers = section.text('fmt', 'e4m3');
  if (numbers !== 'e4m3') refuse(`FP8 numbers of the type ${numbers}`);
  const scheme = section.text('activation_scheme', 'dynamic');
  if (scheme !== 'dynamic') refuse(`${STATIC_INPUTS} ('activation_scheme' "${scheme}")`);
  const except = ['ignored_layers', 'modules_to_not_convert'].flatMap((field) => moduleNames(section, field));
  return { method: 'fp8', format: FP8_PER_CHANNEL, parts: new Set(['layers']), except };
}

function compressedTensors(section: JsonFile, refuse: Refuse): Fp8Quantisation {
  const format = section.text('format', 'dense');
  if (format !== 'float-quantized') refuse(`the format '${format}' of compressed-tensors`);
  const groups = section.section('config_groups');
  const names = Object.keys(groups?.fields ?? {});
  if (names.length !== 1) refuse(`modules that are quantised in ${names.length} ways ('config_groups')`);
  checkGroup(groups!.section(names[0]!)!, refuse);
  const sparsity = section.section('sparsity_config')?.text('format', 'dense') ?? 'dense';
  if (sparsity !== 'dense') refuse(`sparse weights ('sparsity_config' "${sparsity}")`);
  return {
    method: 'compressed-tensors',
    format: FP8_PER_CHANNEL,
    parts: new Set(['layers', 'lm_head']),
    except: [...moduleNames(section, 'ignore'), ...EMBEDDINGS],
  };
}

function checkGroup(group: JsonFile, refuse: Refuse): void {
  const targets = moduleNames(group, 'targets');
  if (targets.join() !== 'Linear') refuse(`weights of some modules alone ('targets' ${targets.join(', ')})`);
  const weights = group.section('weights');
  if (weights === undefined) return refuse('dense weights by rounded inputs');
  checkNumbers(weights, 'weights', refuse);
  const strategy = weights.text('strategy', 'tensor');
  if (strategy !== 'tensor' && strategy !== 'channel')
    refuse(strategy === 'block' ? BLOCKS : `weights with a scale for each '${strategy}'`);
  const inputs = group.section('input_activations');
  if (inputs !== undefined) {
    checkNumbers(inputs, 'inputs', refuse);
    if (inputs.fields['dynamic'] !== true) refuse(`${STATIC_INPUTS} ('dynamic' is not true)`);
  }
  if (group.has('output_activations')) refuse("rounded results ('output_activations')");
}

function checkNumbers(section: JsonFile, what: string, refuse: Refuse): void {
  const [type, bits] = [section.text('type', 'int'), section.count('num_bits', 8)];
  if (type !== 'float' || bits !== 8) refuse(`${what} of the type ${type} with ${bits} bits`);
  if (!section.flag('symmetric', true)) refuse(`${what} with zeros`);
}
