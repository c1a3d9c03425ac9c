/** A tiny random model on several ranks, for tests of executors: plans and the values of their weights. */
import {
  bfloat16ToFloat,
  elementCount,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
} from '../../core/dtype.js';
import { seededRandom } from '../../core/random.js';
import type { Plan, WeightPart } from '../../plan/plan.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { llama } from '../models/llama.js';
import { fuse } from '../passes/fuse.js';
import { shard } from '../passes/shard.js';
import { TINY_CONFIG } from './tiny-checkpoint.js';

interface RandomWeight {
  readonly shape: readonly number[];
  /** Row-major f32 */
  readonly data: Float32Array;
}

export interface RandomRank {
  readonly plan: Plan;
  readonly weight: (name: string) => RandomWeight;
}

export interface RandomRankChoice {
  /** Default f32. */
  readonly dtype?: 'f32' | 'f16' | 'bf16';
  /** Fields of config.json that differ from those of the tiny model. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Width of the range of a matrix's values. Default 1. */
  readonly spread?: number;
}

/** The model on each rank. Its vocabulary of 101 tokens divides by no number of ranks, so that the head is padded. */
export function randomRanks(
  worldSize: number,
  { dtype = 'f32', fields, spread = 1 }: RandomRankChoice = {},
): RandomRank[] {
  const config = { ...TINY_CONFIG, vocab_size: 101, max_position_embeddings: 512, ...fields };
  const definition = llama.define(parseModelConfig(new JsonFile('config.json', config)), dtype);
  return Array.from({ length: worldSize }, (_, rank) => {
    const plan = fuse(shard(definition, rank, worldSize));
    const names = Object.keys(plan.weights);
    const weights = new Map(names.map((name) => [name, randomWeight(plan, name, spread)]));
    return { plan, weight: (name) => weights.get(name)! };
  });
}

/** Rounds a value to what a weight can be. */
const ROUNDED: Readonly<Record<Plan['activationDtype'], (value: number) => number>> = {
  f32: Math.fround,
  f16: (value) => halfToFloat(floatToHalf(value)),
  bf16: (value) => bfloat16ToFloat(floatToBfloat16(value)),
};

/** The rank's part of a random checkpoint: its parts one after another, then zeros. */
function randomWeight({ weights, activationDtype }: Plan, name: string, spread: number): RandomWeight {
  const { shape, source } = weights[name]!;
  const data = new Float32Array(elementCount(shape));
  let length = 0;
  for (const part of source.parts) {
    const values = partValues(part, spread).map(ROUNDED[activationDtype]);
    data.set(values, length);
    length += values.length;
  }
  return { shape, data };
}

/** Values of a checkpoint tensor in the part's slice. The tensor's name is the seed, so that ranks agree. */
function partValues({ tensor, shape, slice }: WeightPart, spread: number): Float32Array {
  const seed = Array.from(tensor).reduce((sum, letter) => Math.imul(31, sum) + letter.charCodeAt(0), 7);
  const random = seededRandom(seed);
  const [offset, width] = shape.length === 1 ? [1, 1] : [0, spread];
  const draw = (): number => offset + width * (random.next() - 0.5);
  const values = Float32Array.from({ length: elementCount(shape) }, draw);
  if (slice === null) return values;
  const columns = shape[1] ?? 1;
  return values.filter((_, index) => {
    const at = slice.axis === 0 ? Math.floor(index / columns) : index % columns;
    return at >= slice.start && at < slice.end;
  });
}
