/** Writes random weights as a Hugging Face directory, to test builds from disk and to feed other programs the same weights. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensorBytes } from '../../core/dtype.js';
import { layOutTensors } from '../../engine/format.js';
import { encodeSafetensorsHeader, type NamedTensorSpec } from '../../engine/safetensors.js';
import { sortedJson } from '../../engine/manifest.js';
import { stageDirectory } from '../../engine/staging.js';
import { writeBytes } from '../../engine/write-bytes.js';
import type { TensorSource } from '../checkpoint/checkpoint.js';
import { modelFileFor } from '../models/registry.js';
import { randomCheckpoint, tensorShapes } from './random-checkpoint.js';
import { randomTokenizer } from './random-tokenizer.js';
import { configFields, type LlamaShape } from './shapes.js';

/** Shard size used by published checkpoints. */
const MAX_SHARD_BYTES = 5_000_000_000;
const HEADER_ALIGNMENT_BYTES = 8;

/** @throws {AloftError} OUTPUT_EXISTS, OUTPUT_FAILED */
export function writeRandomCheckpoint(
  directory: string,
  llama: LlamaShape,
  seed: number,
  maxShardBytes = MAX_SHARD_BYTES,
): void {
  const { config, tensors } = randomCheckpoint(llama, seed);
  const staged = stageDirectory(directory, false);
  try {
    const { plan } = modelFileFor(config.architecture, config.path).define(config, 'f16');
    writeShards(staged.path, tensors, cutShards(tensorShapes(plan), maxShardBytes));
    const write = (name: string, value: unknown) => writeFileSync(join(staged.path, name), sortedJson(value));
    write('config.json', configFields(llama));
    write('generation_config.json', { bos_token_id: 1, eos_token_id: 2 });
    write('tokenizer_config.json', {
      add_bos_token: true,
      bos_token: '<s>',
      eos_token: '</s>',
      tokenizer_class: 'PreTrainedTokenizerFast',
      unk_token: '<unk>',
    });
    writeFileSync(join(staged.path, 'tokenizer.json'), JSON.stringify(randomTokenizer(config.vocabulary)));
    staged.commit();
  } finally {
    staged.discard();
    tensors.dispose();
  }
}

function writeShards(directory: string, tensors: TensorSource, shards: readonly NamedTensorSpec[][]): void {
  if (shards.length === 1) {
    writeShard(join(directory, 'model.safetensors'), shards[0]!, tensors);
    return;
  }
  const number = (index: number) => String(index).padStart(5, '0');
  const fileOf = (index: number) => `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
  for (const [index, shard] of shards.entries()) writeShard(join(directory, fileOf(index)), shard, tensors);
  const weightMap = shards.flatMap((shard, index) => shard.map(({ name }) => [name, fileOf(index)] as const));
  const index = {
    metadata: { total_size: bytesOf(shards.flat()) },
    weight_map: Object.fromEntries(weightMap),
  };
  writeFileSync(join(directory, 'model.safetensors.index.json'), sortedJson(index));
}

const bytesOf = (specs: readonly NamedTensorSpec[]): number =>
  specs.reduce((sum, { dtype, shape }) => sum + tensorBytes(dtype, shape), 0);

function cutShards(
  shapes: ReadonlyMap<string, readonly number[]>,
  maxShardBytes: number,
): NamedTensorSpec[][] {
  const shards: NamedTensorSpec[][] = [[]];
  for (const [name, shape] of shapes) {
    const spec: NamedTensorSpec = { name, dtype: 'f16', shape };
    const current = shards.at(-1)!;
    if (current.length > 0 && bytesOf([...current, spec]) > maxShardBytes) shards.push([spec]);
    else current.push(spec);
  }
  return shards;
}

function writeShard(path: string, specs: readonly NamedTensorSpec[], tensors: TensorSource): void {
  const file = { fd: openSync(path, 'wx'), path };
  try {
    const layout = layOutTensors(specs, 1);
    let position = 0;
    const append = (bytes: Uint8Array): void => {
      writeBytes(file, bytes, position);
      position += bytes.length;
    };
    append(encodeSafetensorsHeader(layout.tensors, { format: 'pt' }, HEADER_ALIGNMENT_BYTES));
    for (const { name } of specs) append(tensors.read(name).bytes);
  } finally {
    closeSync(file.fd);
  }
}
