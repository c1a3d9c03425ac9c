/** Opens a Hugging Face model directory. */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import type { Checkpoint, TensorSource } from './checkpoint.js';
import { readGenerationConfig } from './generation-config.js';
import { JsonFile } from './json-file.js';
import { readConfig } from '../models/registry.js';
import type { ModelConfig } from './model-config.js';
import { openSafetensorsFile, type TensorFile } from './safetensors-file.js';
import { openTorchFile } from './torch-file.js';

/** Files that a tokenizer, a chat template and generation may need, in the directory of a checkpoint or an engine. */
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
];

/** Folder of named chat templates, one file each. */
const NAMED_TEMPLATES = 'additional_chat_templates';

function tokenizerFiles(directory: string): string[] {
  const files = TOKENIZER_FILES.map((name) => join(directory, name)).filter((file) => existsSync(file));
  const folder = join(directory, NAMED_TEMPLATES);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return files;
  const named = readdirSync(folder).filter((name) => name.endsWith('.jinja'));
  return [...files, ...named.toSorted().map((name) => join(folder, name))];
}

/** @throws {AloftError} CHECKPOINT_*, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function openCheckpoint(directory: string): Checkpoint {
  return {
    origin: directory,
    config: readModelConfig(directory),
    generation: readGenerationConfig(directory),
    tokenizerFiles: tokenizerFiles(directory),
    tensors: openTensors(directory),
  };
}

/** The config.json of a model directory; the weights need not be there. @throws {AloftError} CHECKPOINT_*, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function readModelConfig(directory: string): ModelConfig {
  if (!existsSync(directory))
    throw new AloftError('CHECKPOINT_NOT_FOUND', `The model directory ${directory} does not exist.`);
  if (!statSync(directory).isDirectory())
    throw new AloftError(
      'CHECKPOINT_NOT_FOUND',
      `${directory} is a file. Name the directory that holds config.json and the weights.`,
    );
  const path = join(directory, 'config.json');
  if (!existsSync(path))
    throw new AloftError(
      'CHECKPOINT_NOT_FOUND',
      `${path} is missing. Name a Hugging Face model directory, which holds config.json and the weights.`,
    );
  return readConfig(JsonFile.read(path));
}

const FORMATS = [
  { file: 'model.safetensors', open: openSafetensorsFile },
  { file: 'pytorch_model.bin', open: openTorchFile },
] as const;

/** Safetensors before pickles, an index before a single file. */
function openTensors(directory: string): TensorSource {
  for (const { file, open } of FORMATS) {
    const index = join(directory, `${file}.index.json`);
    if (existsSync(index)) return openShards(directory, index, open);
    const path = join(directory, file);
    if (existsSync(path)) {
      refusePointer(path);
      return open(path);
    }
  }
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    `No weights in ${directory}: there is no model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json.`,
  );
}

function openShards(directory: string, indexPath: string, open: (path: string) => TensorFile): TensorSource {
  const map = JsonFile.read(indexPath).section('weight_map')?.fields;
  if (map === undefined)
    throw new AloftError('CHECKPOINT_CORRUPT', `${indexPath}: 'weight_map' is missing. Download it again.`);
  const opened = new Map<string, TensorFile>();
  const dispose = (): void => {
    for (const shard of opened.values()) shard.dispose();
  };
  try {
    for (const shard of new Set(Object.values(map))) {
      const path = shardPath(directory, indexPath, shard);
      opened.set(String(shard), open(path));
    }
  } catch (fault) {
    dispose();
    throw fault;
  }
  const shardOf = (name: string): TensorFile | undefined => opened.get(String(map[name]));
  return {
    info: (name) => shardOf(name)?.info(name),
    read: (name) => shardOf(name)!.read(name),
    dispose,
  };
}

function shardPath(directory: string, indexPath: string, shard: unknown): string {
  if (typeof shard !== 'string' || shard.includes('/') || shard.includes('\\'))
    throw new AloftError(
      'CHECKPOINT_CORRUPT',
      `${indexPath}: 'weight_map' names ${JSON.stringify(shard)}, which is not a file of this directory. Download it again.`,
    );
  const path = join(directory, shard);
  if (!existsSync(path))
    throw new AloftError(
      'CHECKPOINT_NOT_FOUND',
      `${path} is missing, but ${indexPath} names it. Download it.`,
    );
  refusePointer(path);
  return path;
}

const POINTER_START = 'version https://git-lfs';

/** A clone without Git LFS has short text files in place of the weights. */
function refusePointer(path: string): void {
  const start = Buffer.alloc(POINTER_START.length);
  const file = openSync(path, 'r');
  readSync(file, start);
  closeSync(file);
  if (start.toString('latin1') === POINTER_START)
    throw new AloftError(
      'CHECKPOINT_CORRUPT',
      `${path} is a Git LFS pointer, not the weights. Run 'git lfs pull' in the model directory.`,
    );
}
