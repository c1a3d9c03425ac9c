/** Finds the files of the weights in a model directory. */
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import type { TensorSource } from './checkpoint.js';
import { JsonFile } from './json-file.js';
import { refusePointer } from './lfs-pointer.js';
import { noCheckpoint } from './no-checkpoint.js';
import { isThere } from './paths.js';
import { openSafetensorsFile } from './safetensors-file.js';
import { openTorchFile } from './torch-file.js';

const FORMATS = [
  { file: 'model.safetensors', open: openSafetensorsFile },
  { file: 'pytorch_model.bin', open: openTorchFile },
] as const;

export interface OpenedWeights {
  readonly tensors: TensorSource;
  readonly warnings: readonly string[];
}

/**
 * Safetensors before pickles and, as transformers has it, a whole file before an index, which may be left over from another save.
 * @throws {AloftError} CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, CHECKPOINT_UNSAFE, FILE_UNREADABLE, UNSUPPORTED
 */
export function openWeights(directory: string): OpenedWeights {
  for (const { file, open } of FORMATS) {
    const path = join(directory, file);
    const index = `${path}.index.json`;
    const hasIndex = isThere(index);
    if (isThere(path)) {
      refusePointer(path);
      const warnings = hasIndex
        ? [
            `${path} holds the weights, so ${index} beside it is ignored. Remove the one that is not of this model.`,
          ]
        : [];
      return { tensors: open(path), warnings };
    }
    if (hasIndex) return { tensors: openShards(directory, index, open), warnings: [] };
  }
  throw noCheckpoint(
    directory,
    `No weights in ${directory}: there is no model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json.`,
  );
}

function openShards(
  directory: string,
  indexPath: string,
  open: (path: string) => TensorSource,
): TensorSource {
  const map = JsonFile.read(indexPath).section('weight_map')?.fields;
  if (map === undefined)
    throw new AloftError('CHECKPOINT_CORRUPT', `${indexPath}: 'weight_map' is missing. Download it again.`);
  const opened = new Map<string, TensorSource>();
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
  const shardOf = (name: string): TensorSource | undefined => opened.get(String(map[name]));
  return {
    names: Object.keys(map),
    info: (name) => shardOf(name)?.info(name),
    read: (name) => shardOf(name)!.read(name),
    lostPages: () => [...opened.values()].reduce((sum, shard) => sum + (shard.lostPages?.() ?? 0), 0),
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
  if (!isThere(path))
    throw new AloftError(
      'CHECKPOINT_NOT_FOUND',
      `${path} is missing, but ${indexPath} names it. Download it.`,
    );
  refusePointer(path);
  return path;
}
