/** Compares the CUDA executor with the TypeScript references on small random models. */
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat, tensorBytes } from '../../core/dtype.js';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import type { StepInput, StepOutput } from '../../core/step.js';
import { openGpu } from '../../device/cuda/gpu.js';
import { compileUnits, kernelUnits } from '../../device/cuda/kernel-sources.js';
import type { Nvrtc } from '../../device/cuda/nvrtc.js';
import { cudaWeightLayout, tileOffset } from '../../device/cuda/weight-layout.js';
import { addReference } from '../../ops/add/reference.js';
import { embeddingReference } from '../../ops/embedding/reference.js';
import { gatherReference } from '../../ops/gather/reference.js';
import { rowOf, zeroMatrix, type Matrix } from '../../ops/matrix.js';
import { ReferenceKvCache } from '../../ops/paged-attention/reference-cache.js';
import { pagedAttentionReference } from '../../ops/paged-attention/reference.js';
import { addRmsNormReference, rmsNormReference } from '../../ops/rms-norm/reference.js';
import { ropeAppendReference } from '../../ops/rope/reference.js';
import { sampleReference, scoreReference } from '../../ops/sample/reference.js';
import { swigluReference } from '../../ops/swiglu/reference.js';
import { weightsOf } from '../../plan/operands.js';
import type { Plan } from '../../plan/plan.js';
import type { Executor } from '../../run/executor/executor.js';
import { openCudaExecutor } from '../../run/executor/cuda/cuda-executor.js';
import type { LlamaShape } from '../../build/random-weights/shapes.js';
import { benchmarkPlan } from './plans.js';

const BLOCK_TOKENS = 16;
const SHAPE: LlamaShape = {
  ...{
    hidden_size: 128,
    intermediate_size: 352,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 4,
  },
  ...{ max_position_embeddings: 512, vocab_size: 1000, rms_norm_eps: 1e-5, rope_theta: 10000 },
};

export interface ConformanceCase {
  readonly name: string;
  readonly shape: LlamaShape;
  readonly dtype: 'f16' | 'bf16';
  readonly isInt8: boolean;
  readonly useGraphs: boolean;
}

export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  { name: 'f16', shape: SHAPE, dtype: 'f16', isInt8: false, useGraphs: true },
  { name: 'int8', shape: SHAPE, dtype: 'f16', isInt8: true, useGraphs: true },
  { name: 'bf16 int8, no graphs', shape: SHAPE, dtype: 'bf16', isInt8: true, useGraphs: false },
  {
    name: 'bf16, grouped queries, odd sizes',
    shape: {
      ...SHAPE,
      hidden_size: 8 * 48,
      num_attention_heads: 8,
      num_key_value_heads: 2,
      intermediate_size: 200,
      vocab_size: 1003,
    },
    ...{ dtype: 'bf16', isInt8: false, useGraphs: true },
  },
  {
    name: 'int8, head size 128',
    shape: {
      ...SHAPE,
      hidden_size: 512,
      num_attention_heads: 4,
      num_key_value_heads: 1,
      intermediate_size: 1376,
    },
    ...{ dtype: 'f16', isInt8: true, useGraphs: true },
  },
];

/** Largest difference of logits allowed, as a share of their largest magnitude. */
const TOLERANCE = { f16: 5e-3, bf16: 4e-2 } as const;

interface HostWeights {
  /** As the device sees them. */
  readonly logical: ReadonlyMap<string, Matrix>;
  readonly packed: ReadonlyMap<string, Uint8Array>;
}

/** Logits of a step and the tokens that its rows continue with, by the references. */
export class ReferenceModel {
  readonly #plan: Plan;
  readonly #weights: ReadonlyMap<string, Matrix>;
  readonly #cache: ReferenceKvCache;

  constructor(plan: Plan, weights: ReadonlyMap<string, Matrix>, blockCount: number) {
    this.#plan = plan;
    this.#weights = weights;
    this.#cache = new ReferenceKvCache(plan.dims, { blockCount, blockTokens: BLOCK_TOKENS, dtype: 'f32' });
  }

  logits(step: StepInput, tokenIds: Int32Array): Matrix {
    const buffers = new Map<string, Matrix>();
    const get = (name: string): Matrix => buffers.get(name)!;
    const vector = (name: string): Float32Array => this.#weights.get(name)!.data;
    for (const op of this.#plan.ops) {
      switch (op.kind) {
        case 'embedding':
          buffers.set(op.out, embeddingReference(this.#weights.get(op.table)!, tokenIds));
          break;
        case 'rmsNorm':
          buffers.set(op.out, rmsNormReference(get(op.x), vector(op.weight), op.epsilon));
          break;
        case 'addRmsNorm': {
          const sum = { residual: get(op.residual), delta: get(op.delta) };
          buffers.set(op.out, addRmsNormReference(sum, vector(op.weight), op.epsilon));
          break;
        }
        case 'add':
          addReference(get(op.residual), get(op.delta));
          break;
        case 'linear':
          buffers.set(op.out, product(get(op.x), this.#weights.get(op.weight)!));
          break;
        case 'ropeAppend':
          ropeAppendReference(get(op.qkv), step, this.#cache, {
            ...op,
            promptTokens: Array.from({ length: step.rowCount }, () => 0),
          });
          break;
        case 'pagedAttention':
          buffers.set(op.out, pagedAttentionReference(get(op.qkv), step, this.#cache, op.layer));
          break;
        case 'swiglu':
          buffers.set(op.out, swigluReference(get(op.gateUp)));
          break;
        case 'gather':
          buffers.set(op.out, gatherReference(get(op.x), step.logitTokens.subarray(0, step.logitCount)));
          break;
        case 'allReduce':
        case 'allGather':
          throw new Error('one rank only');
      }
    }
    return get(this.#plan.logits);
  }
}

function product(x: Matrix, weight: Matrix): Matrix {
  const out = zeroMatrix(x.rowCount, weight.rowCount);
  for (let row = 0; row < x.rowCount; row++) {
    const input = rowOf(x, row);
    for (let channel = 0; channel < weight.rowCount; channel++) {
      const w = rowOf(weight, channel);
      let sum = 0;
      for (let i = 0; i < input.length; i++) sum += input[i]! * w[i]!;
      out.data[row * weight.rowCount + channel] = sum;
    }
  }
  return out;
}

function drawHostWeights(plan: Plan, random: () => number): HostWeights {
  const logical = new Map<string, Matrix>();
  const packed = new Map<string, Uint8Array>();
  const isBf16 = plan.activationDtype === 'bf16';
  const [to, from] = isBf16 ? [floatToBfloat16, bfloat16ToFloat] : [floatToHalf, halfToFloat];
  for (const [name, use] of new Map(plan.ops.flatMap((op) => [...weightsOf(op)]))) {
    const weight = plan.weights[name]!;
    const [rowCount, columnCount] =
      use === 'vector' ? [1, weight.shape[0]!] : [weight.shape[0]!, weight.shape[1]!];
    const centre = use === 'vector' ? 1 : 0;
    const bits = Uint16Array.from({ length: rowCount * columnCount }, () =>
      to(centre + (random() - 0.5) * 0.25),
    );
    const source = {
      dtype: isBf16 ? 'bf16' : 'f16',
      shape: weight.shape,
      bytes: new Uint8Array(bits.buffer),
    } as const;
    const specs = cudaWeightLayout.specs(name, weight, use);
    const targets = specs.map(
      ({ dtype, shape }) => new Uint8Array(new ArrayBuffer(tensorBytes(dtype, shape))),
    );
    cudaWeightLayout.pack(source, weight, use, targets);
    specs.forEach((spec, index) => packed.set(spec.name, targets[index]!));
    const data = Float32Array.from(bits, from);
    if (weight.format.type === 'int8') {
      const scales = new Float32Array(targets[1]!.buffer);
      for (let i = 0; i < data.length; i++) {
        const row = Math.floor(i / columnCount);
        data[i] = (targets[0]![tileOffset(row, i % columnCount, columnCount)]! - 128) * scales[row]!;
      }
    }
    logical.set(name, { rowCount, columnCount, data });
  }
  return { logical, packed };
}

/** Deterministic uniform numbers: xorshift. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

export interface Row {
  readonly slot: number;
  readonly tokens: readonly number[];
  /** Tokens that are in the cache already. */
  readonly cached: number;
  readonly blocks: readonly number[];
}

/** A step over rows; the logits of each row's last token are wanted. `-1` tokens are taken from the device. */
export function stepOf(
  stepId: number,
  rows: readonly Row[],
  maxBlocks: number,
  returnLogits: boolean,
): StepInput {
  const counts = rows.map((row) => row.tokens.length);
  const rowOffsets = Int32Array.from([0, ...counts]).map(
    (
      (sum) => (count) =>
        (sum += count)
    )(0),
  );
  const blockTables = new Int32Array(rows.length * maxBlocks).fill(-1);
  rows.forEach((row, index) => blockTables.set(row.blocks, index * maxBlocks));
  const none = new Int32Array(0);
  return {
    stepId,
    tokenCount: rowOffsets.at(-1)!,
    rowCount: rows.length,
    logitCount: rows.length,
    tokenIds: Int32Array.from(rows.flatMap((row) => row.tokens)),
    positions: Int32Array.from(rows.flatMap((row) => row.tokens.map((_, i) => row.cached + i))),
    rowOffsets,
    rowSlots: Int32Array.from(rows, (row) => row.slot),
    contextLengths: Int32Array.from(rows, (row) => row.cached + row.tokens.length),
    blockTables,
    maxBlocksPerSequence: maxBlocks,
    logitTokens: rowOffsets.slice(1).map((end) => end - 1),
    logitRows: Int32Array.from(rows, (_, index) => index),
    logitTargets: new Int32Array(rows.length).fill(-1),
    ...{ blockCopies: none, blocksToHost: none, blocksFromHost: none },
    returnLogits,
  };
}

const SAMPLINGS: readonly SamplingParams[] = [
  { ...GREEDY, logprobs: 3 },
  { ...GREEDY, temperature: 0.8, topK: 50, topP: 0.9, seed: 12345678901234n },
  {
    ...GREEDY,
    temperature: 1.1,
    minP: 0.05,
    seed: 7n,
    repetitionPenalty: 1.3,
    presencePenalty: 0.2,
    frequencyPenalty: 0.1,
  },
  {
    ...GREEDY,
    temperature: 1,
    topP: 0.5,
    seed: 99n,
    minTokens: 3,
    logitBias: new Map([
      [5, 2],
      [900, -3],
    ]),
  },
  { ...GREEDY, badWords: [[17], [3, 4]] },
];

/** @returns what went wrong; empty when the case passes */
export async function runConformance(
  test: ConformanceCase,
  nvrtc: Nvrtc,
  libraryPath: string | undefined,
): Promise<string[]> {
  const plan = benchmarkPlan(test);
  const gpu = openGpu(0, libraryPath);
  const weights = drawHostWeights(plan, seededRandom(3));
  const addresses = new Map<string, number>();
  for (const [name, bytes] of weights.packed) {
    addresses.set(name, gpu.allocate(bytes.byteLength, name));
    gpu.upload(addresses.get(name)!, bytes);
  }
  const units = compileUnits(nvrtc, kernelUnits(plan, gpu.properties, BLOCK_TOKENS));
  const maxSequenceTokens = 512;
  const executor = openCudaExecutor({
    plan,
    gpu,
    units: new Map(Array.from(units, ([name, unit]) => [name, unit.cubin])),
    tensorAddress: (name) => addresses.get(name)!,
    limits: {
      maxStepTokens: 1024,
      maxRows: 24,
      maxLogits: 24,
      blockTokens: BLOCK_TOKENS,
      blockCount: 0,
      hostBlockCount: 0,
      maxSequenceTokens,
    },
    kv: { weightBytes: 0, freeFraction: 0.5, maxTokens: 16384, maxTotalBytes: undefined },
    cudaLibraryPath: libraryPath,
    useGraphs: test.useGraphs,
  });
  const faults = await compareSteps(test, plan, executor, new ReferenceModel(plan, weights.logical, 1024));
  await executor.dispose();
  return faults;
}

async function compareSteps(
  test: ConformanceCase,
  plan: Plan,
  executor: Executor,
  reference: ReferenceModel,
): Promise<string[]> {
  const faults: string[] = [];
  const random = seededRandom(11);
  const maxBlocks = Math.ceil(executor.limits.maxSequenceTokens / BLOCK_TOKENS);
  const lengths = [5, 1, 70, 130, 33, 2, 200, 64, 17];
  const prompts = lengths.map((length) =>
    Array.from({ length }, () => Math.floor(random() * plan.dims.vocabulary)),
  );
  const blocks = prompts.map((_, row) => Array.from({ length: maxBlocks }, (_, i) => (i * 9 + row) % 512));
  const histories = prompts.map((prompt) => [...prompt]);
  prompts.forEach((prompt, slot) => {
    const sampling = SAMPLINGS[slot % SAMPLINGS.length]!;
    executor.attachSlot({
      slot,
      sampling,
      endIds: [2],
      promptTokenIds: Int32Array.from(prompt),
      outputTokenIds: new Int32Array(0),
    });
  });
  const rowOf = (slot: number, tokens: readonly number[], cached: number): Row => ({
    slot,
    tokens,
    cached,
    blocks: blocks[slot]!,
  });
  // Prompts whole; one in two chunks beside decodes; then decodes of growing and shrinking batches.
  const rounds: Row[][] = [
    [0, 1, 2, 3].map((slot) => rowOf(slot, prompts[slot]!, 0)),
    [...[4, 5, 7, 8].map((slot) => rowOf(slot, prompts[slot]!, 0)), rowOf(6, prompts[6]!.slice(0, 90), 0)],
    [rowOf(0, [-1], 0), rowOf(6, prompts[6]!.slice(90), 90), rowOf(3, [-1], 0)],
    ...Array.from({ length: 4 }, () => prompts.map((_, slot) => rowOf(slot, [-1], 0))),
    ...Array.from({ length: 3 }, () => [0, 3, 5].map((slot) => rowOf(slot, [-1], 0))),
    [rowOf(6, [-1], 0)],
  ];
  for (const [stepId, planned] of rounds.entries()) {
    const rows = planned.map((row) =>
      row.tokens[0] === -1 ? { ...row, cached: histories[row.slot]!.length - 1 } : row,
    );
    const step = stepOf(stepId, rows, maxBlocks, true);
    executor.submit(step);
    const output = await executor.collect();
    const known = step.tokenIds.map((id, i) =>
      id >= 0 ? id : histories[rows[step.rowOffsets.findIndex((at) => at > i) - 1]!.slot]!.at(-1)!,
    );
    const logits = reference.logits(step, known);
    rows.forEach((row, index) => {
      const isWhole = row.cached + row.tokens.length >= prompts[row.slot]!.length;
      const fault = compareRow(
        { test, plan, output, logits, index, row, history: histories[row.slot]!, prompt: prompts[row.slot]! },
        isWhole,
      );
      if (fault !== undefined)
        faults.push(`${test.name}: step ${stepId} row ${index} (slot ${row.slot}): ${fault}`);
      if (isWhole) histories[row.slot]!.push(output.tokenIds[index]!);
    });
  }
  return faults;
}

interface RowCheck {
  readonly test: ConformanceCase;
  readonly plan: Plan;
  readonly output: StepOutput;
  readonly logits: Matrix;
  readonly index: number;
  readonly row: Row;
  readonly history: readonly number[];
  readonly prompt: readonly number[];
}

function compareRow(
  { test, plan, output, logits, index, row, history, prompt }: RowCheck,
  isWhole: boolean,
): string | undefined {
  const { vocabulary } = plan.dims;
  const actual = output.logits!.subarray(index * vocabulary, (index + 1) * vocabulary);
  const expected = rowOf(logits, index);
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  let error = 0;
  for (let i = 0; i < vocabulary; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!) / largest;
    if (!(difference <= error)) error = difference;
  }
  if (!(error <= TOLERANCE[test.dtype])) return `logits differ by ${error}`;
  if (!isWhole) return undefined;
  const sampling = SAMPLINGS[row.slot % SAMPLINGS.length]!;
  const context = {
    sampling,
    endIds: [2],
    promptTokenIds: prompt,
    outputTokenIds: history.slice(prompt.length),
  };
  const token = sampleReference(actual, context, history.length);
  if (output.tokenIds[index] !== token) return `sampled ${output.tokenIds[index]}, the reference ${token}`;
  if (sampling.logprobs === undefined) return undefined;
  const score = scoreReference(actual, token, sampling.logprobs);
  if (!(Math.abs(score.logprob - output.logprobs[index]!) < 2e-5))
    return `log probability ${output.logprobs[index]}, the reference ${score.logprob}`;
  const tops = Array.from(
    output.topTokenIds.subarray(index * output.topCount, index * output.topCount + sampling.logprobs),
  );
  return tops.join() === score.top.map((top) => top.tokenId).join() ? undefined : `top tokens ${tops.join()}`;
}
