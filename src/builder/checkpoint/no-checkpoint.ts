/** Says what a directory is that is no checkpoint, and which one to name instead. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { JsonFile } from './json-file.js';
import { isThere, namesIn, statsOf } from './paths.js';

/** A sentence about a directory with these names in it; undefined when it is something else. */
type Explanation = (directory: string, names: readonly string[]) => string | undefined;

const EXPLANATIONS: readonly Explanation[] = [
  adapter,
  cacheOfModel,
  cacheOfAll,
  pipeline,
  original,
  gguf,
  unnamedWeights,
  otherWeights,
  inner,
];

/** @param missing sentence about what a checkpoint would have, where nothing better is known */
export function noCheckpoint(directory: string, missing: string): AloftError {
  const names = namesIn(directory);
  for (const explain of EXPLANATIONS) {
    const sentence = explain(directory, names);
    if (sentence !== undefined) return new AloftError('CHECKPOINT_NOT_FOUND', `${directory} ${sentence}`);
  }
  return new AloftError('CHECKPOINT_NOT_FOUND', missing);
}

const ADAPTER_CONFIG = 'adapter_config.json';

function adapter(directory: string, names: readonly string[]): string | undefined {
  if (!names.some((name) => name === ADAPTER_CONFIG || /^adapter_model\.(?:safetensors|bin)$/.test(name)))
    return undefined;
  const path = join(directory, ADAPTER_CONFIG);
  const base = isThere(path) ? JsonFile.read(path).fields['base_model_name_or_path'] : undefined;
  const model = typeof base === 'string' && base !== '' ? base : 'its base model';
  return `holds a LoRA adapter of ${model}, not a whole model. Merge it into ${model} first (merge_and_unload of peft, then save_pretrained), and name the directory of the result.`;
}

const SNAPSHOTS = 'snapshots';

/** `models--ORG--NAME` of the cache of huggingface_hub. */
function cacheOfModel(directory: string, names: readonly string[]): string | undefined {
  if (!names.includes(SNAPSHOTS) || !names.some((name) => name === 'blobs' || name === 'refs'))
    return undefined;
  const hashes = namesIn(join(directory, SNAPSHOTS));
  const main = join(directory, 'refs/main');
  const current = isThere(main) ? readFileSync(main, 'utf8').trim() : '';
  const hash = hashes.includes(current) ? current : hashes[0];
  if (hash === undefined)
    return 'is a folder of the cache of Hugging Face without a snapshot. Download the model again.';
  return `is a folder of the cache of Hugging Face. Name the snapshot in it: ${join(directory, SNAPSHOTS, hash)}`;
}

function cacheOfAll(directory: string, names: readonly string[]): string | undefined {
  const models = names.filter((name) => name.startsWith('models--'));
  if (models.length === 0) return undefined;
  return `is the cache of Hugging Face, which holds ${models.join(', ')}. Name a snapshot of one: ${join(directory, models[0]!, SNAPSHOTS)}/HASH`;
}

function pipeline(_: string, names: readonly string[]): string | undefined {
  if (!names.includes('model_index.json')) return undefined;
  return 'holds a pipeline of diffusers, not a language model.';
}

/** Files as Meta and Mistral publish them beside those for transformers. */
function original(_: string, names: readonly string[]): string | undefined {
  if (!names.some((name) => /^consolidated[.\d-]*(?:of-\d+\.)?(?:pth|safetensors)$/.test(name)))
    return undefined;
  return "holds the model in its publisher's own form (consolidated weights, params.json). Download the form for transformers, which has a config.json and model*.safetensors.";
}

/** A file that is a whole checkpoint. */
function gguf(directory: string, names: readonly string[]): string | undefined {
  const files = names.filter((name) => name.endsWith('.gguf'));
  if (files.length === 0) return undefined;
  return `holds ${files.length > 1 ? 'GGUF files' : 'a GGUF file'}. Name ${files.length > 1 ? 'one of them' : 'it'}: ${files.map((name) => join(directory, name)).join(', ')}`;
}

const SHARD = /^(?:model|pytorch_model)-\d+-of-\d+\.(?:safetensors|bin)$/;

/** Weights whose index is not there, or that have names of their own. */
function unnamedWeights(_: string, names: readonly string[]): string | undefined {
  if (!names.includes('config.json')) return undefined;
  const shard = names.find((name) => SHARD.test(name));
  if (shard !== undefined) {
    const index = `${shard.replace(/-\d+-of-\d+/, '')}.index.json`;
    return `holds parts of the weights, such as ${shard}, but lacks ${index}, which says what is in them. Download it.`;
  }
  const others = names.filter((name) => name.endsWith('.safetensors'));
  const [only] = others;
  if (only === undefined) return undefined;
  return others.length === 1
    ? `holds weights by the name ${only}. Rename the file to model.safetensors.`
    : `holds weights by the names ${others.join(', ')}, but no model.safetensors.index.json, which says what is in them. Download it.`;
}

const OTHER_WEIGHTS: readonly (readonly [RegExp, string])[] = [
  [/\.onnx$/, 'an ONNX file'],
  [/\.(?:h5|msgpack)$/, 'weights for TensorFlow or Flax only'],
  [/\.engine$/, 'a TensorRT engine, which only TensorRT can run'],
];

function otherWeights(_: string, names: readonly string[]): string | undefined {
  const found = OTHER_WEIGHTS.find(([pattern]) => names.some((name) => pattern.test(name)));
  if (found === undefined) return undefined;
  return `holds ${found[1]}. Name the directory of the checkpoint with config.json and model*.safetensors (or pytorch_model*.bin).`;
}

/** A directory around the right one. */
function inner(directory: string, names: readonly string[]): string | undefined {
  if (names.includes('config.json')) return undefined;
  const found = names.filter((name) => statsOf(join(directory, name, 'config.json'))?.isFile());
  if (found.length === 0) return undefined;
  return `has no config.json, but ${found.map((name) => join(directory, name)).join(' and ')} has. Name that.`;
}
