/** Tiny checkpoints for tests, with every value known: tensor t holds t.seed, t.seed + 1, ... scaled to small numbers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BYTES_PER_ELEMENT, elementCount } from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import { layOutTensors } from '../../engine/format.js';
import { encodeSafetensorsHeader } from '../../engine/safetensors.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { llama } from '../models/llama.js';
import { tensorShapes } from '../random-weights/random-checkpoint.js';
import { bytesOfFloats } from './row-major-layout.js';

export type TinyTensors = Map<string, HostTensor>;

export const TINY_CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 37,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  bos_token_id: 1,
  eos_token_id: [2, 3],
};

/** Runs `use` with a fresh directory that is removed afterwards. */
export async function withDirectory<T>(use: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'aloft-test-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** All tensors that a config asks for, with distinct values. */
export function tinyTensors(
  config: Record<string, unknown> = TINY_CONFIG,
  dtype: 'f32' | 'f16' | 'bf16' = 'f32',
): TinyTensors {
  const { plan } = llama.define(parseModelConfig(new JsonFile('tiny', config)), 'f32');
  const tensors: TinyTensors = new Map();
  for (const [name, shape] of tensorShapes(plan)) {
    const first = tensors.size * 101;
    const values = Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(first + i));
    tensors.set(name, { dtype, shape, bytes: bytesOfFloats(values, dtype) });
  }
  return tensors;
}

export function writeSafetensors(path: string, tensors: TinyTensors): void {
  const specs = Array.from(tensors, ([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const header = encodeSafetensorsHeader(layOutTensors(specs, 1).tensors, { format: 'pt' }, 8);
  writeFileSync(path, Buffer.concat([header, ...Array.from(tensors.values(), ({ bytes }) => bytes)]));
}

/** Writes config.json and one model.safetensors. */
export function writeTinyCheckpoint(
  directory: string,
  config: Record<string, unknown> = TINY_CONFIG,
  tensors: TinyTensors = tinyTensors(config),
): void {
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
  writeSafetensors(join(directory, 'model.safetensors'), tensors);
}

/** A tensor cut to rows [start, end). */
export function rows({ dtype, shape, bytes }: HostTensor, start: number, end: number): HostTensor {
  const rowBytes = elementCount(shape.slice(1)) * BYTES_PER_ELEMENT[dtype];
  return {
    dtype,
    shape: [end - start, ...shape.slice(1)],
    bytes: bytes.slice(start * rowBytes, end * rowBytes),
  };
}
