import { elementCount } from '../../core/dtype.js';
import { invariant } from '../../core/errors.js';
import { allocateHost } from '../../ffi/memory.js';
import type { Plan } from '../../plan/plan.js';
import type { Checkpoint, TensorSource } from '../checkpoint/checkpoint.js';
import { parseGenerationConfig } from '../checkpoint/generation-config.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { modelFileFor } from '../models/registry.js';
import { NormalPool } from './normal-pool.js';
import { configFields, type LlamaShape } from './shapes.js';

/** A checkpoint in memory: f16 matrices from a normal distribution, norms of one. The same seed gives the same weights. */
export function randomCheckpoint(llama: LlamaShape, seed: number): Checkpoint {
  const file = new JsonFile('random weights', configFields(llama));
  const config = parseModelConfig(file);
  const { plan } = modelFileFor(config.architecture, file.path).define(config, 'f16');
  return {
    origin: file.path,
    config,
    generation: parseGenerationConfig(new JsonFile(file.path, {}), file),
    tokenizerFiles: [],
    warnings: [],
    tensors: randomTensors(tensorShapes(plan), seed),
  };
}

/** Names and shapes of the checkpoint tensors that a plan needs, in the order of the plan. */
export function tensorShapes(plan: Plan): ReadonlyMap<string, readonly number[]> {
  const parts = Object.values(plan.weights).flatMap(({ source }) => source.parts);
  return new Map(parts.map(({ tensor, shape }) => [tensor, shape]));
}

const ONE_F16 = 0x3c00;

function randomTensors(shapes: ReadonlyMap<string, readonly number[]>, seed: number): TensorSource {
  const pool = new NormalPool(seed);
  const largest = Math.max(...Array.from(shapes.values(), elementCount));
  const area = allocateHost(2 * largest);
  return {
    names: [...shapes.keys()],
    info(name) {
      const shape = shapes.get(name);
      return shape === undefined
        ? undefined
        : { file: 'random weights', shape, dtype: 'f16', dtypeName: 'F16' };
    },
    read(name) {
      const shape = shapes.get(name);
      invariant(shape !== undefined, () => `there are no random weights '${name}'`);
      const bytes = area.bytes(0, 2 * elementCount(shape));
      const values = new Uint16Array(bytes.buffer, bytes.byteOffset, elementCount(shape));
      if (shape.length === 1) values.fill(ONE_F16);
      else pool.fill(name, values);
      return { dtype: 'f16', shape, bytes };
    },
    dispose: () => area.dispose(),
  };
}
