/** Opens a Hugging Face model directory, or a GGUF file. */
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { NAMED_TEMPLATES, TOKENIZER_FILES } from '../../core/tokenizer-files.js';
import { openGguf, readGgufConfig } from '../gguf/open-gguf.js';
import { readConfig } from '../models/registry.js';
import type { CheckpointQuantisation } from '../quantised/quantisation-config.js';
import { Fp8Tensors } from '../quantised/fp8-tensors.js';
import { QuantisedTensors } from '../quantised/quantised-tensors.js';
import { withModelPrefix } from './base-model.js';
import type { Checkpoint, TensorSource } from './checkpoint.js';
import { readGenerationConfig } from './generation-config.js';
import { JsonFile } from './json-file.js';
import { refusePointer } from './lfs-pointer.js';
import type { ModelConfig } from './model-config.js';
import { noCheckpoint } from './no-checkpoint.js';
import { isThere, namesIn, readableFiles, statsOf } from './paths.js';
import { readPooling } from './pooling.js';
import { openWeights } from './weight-files.js';

function tokenizerFiles(directory: string): string[] {
  const files = readableFiles(directory, TOKENIZER_FILES);
  files.forEach(refusePointer);
  const folder = join(directory, NAMED_TEMPLATES);
  if (!statsOf(folder)?.isDirectory()) return files;
  const named = namesIn(folder).filter((name) => name.endsWith('.jinja'));
  return [...files, ...readableFiles(folder, named)];
}

export const isGgufFile = (path: string): boolean =>
  path.endsWith('.gguf') && statsOf(path)?.isFile() === true;

/** Opens a model directory or a GGUF file. @throws {AloftError} CHECKPOINT_*, FILE_UNREADABLE, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function openCheckpoint(directory: string): Checkpoint {
  if (isGgufFile(directory)) return openGguf(directory);
  const file = readConfigFile(directory);
  const config = readConfig(file);
  const generation = readGenerationConfig(directory);
  const files = tokenizerFiles(directory);
  const { tensors: held, warnings } = openWeights(directory);
  const tensors = config.quantisation === undefined ? held : inNumbers(held, config.quantisation);
  return {
    origin: directory,
    config,
    generation,
    tokenizerFiles: files,
    tensors: withModelPrefix(tensors),
    pooling: () => readPooling(directory),
    warnings: [...notesOn(file), ...warnings],
  };
}

function inNumbers(held: TensorSource, quantisation: CheckpointQuantisation): TensorSource {
  try {
    return 'storedGroup' in quantisation ? new QuantisedTensors(held, quantisation) : new Fp8Tensors(held);
  } catch (fault) {
    held.dispose();
    throw fault;
  }
}

/** The config.json of a model directory; the weights need not be there. @throws {AloftError} CHECKPOINT_*, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function readModelConfig(directory: string): ModelConfig {
  if (isGgufFile(directory)) return readGgufConfig(directory);
  return readConfig(readConfigFile(directory));
}

function readConfigFile(directory: string): JsonFile {
  const stats = statsOf(directory);
  if (stats === undefined)
    throw new AloftError('CHECKPOINT_NOT_FOUND', `The model directory ${directory} does not exist.`);
  if (!stats.isDirectory())
    throw new AloftError(
      'CHECKPOINT_NOT_FOUND',
      `${directory} is a file. Name the directory that holds config.json and the weights, or a file that ends in .gguf.`,
    );
  const path = join(directory, 'config.json');
  if (!isThere(path))
    throw noCheckpoint(
      directory,
      `${path} is missing. Name a Hugging Face model directory, which holds config.json and the weights.`,
    );
  refusePointer(path);
  const file = JsonFile.read(path);
  if (file.has('builder_config'))
    throw new AloftError(
      'CHECKPOINT_NOT_FOUND',
      `${directory} is an engine, which is built already. Name the checkpoint that it was built from, or run the engine.`,
    );
  return withQuantisation(file, directory);
}

/** Files beside config.json in which older programs wrote how they quantised, and their method. */
const SEPARATE_CONFIGS = [
  ['quantize_config.json', 'gptq'],
  ['quant_config.json', 'awq'],
] as const;

function withQuantisation(file: JsonFile, directory: string): JsonFile {
  if (file.has('quantization_config') || file.has('compression_config')) return file;
  const found = SEPARATE_CONFIGS.find(([name]) => isThere(join(directory, name)));
  if (found === undefined) return file;
  const [name, method] = found;
  const fields = { quant_method: method, ...JsonFile.read(join(directory, name)).fields };
  return new JsonFile(file.path, { ...file.fields, quantization_config: fields }, file.nonFinite);
}

/** Python reads and writes numbers that JSON has no notation for. */
function notesOn({ path, nonFinite }: JsonFile): string[] {
  return nonFinite.map(
    (name) =>
      `${path}: '${name}' is NaN or Infinity, which JSON does not have; it is read as Python reads it.`,
  );
}
