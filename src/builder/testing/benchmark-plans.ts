/** Plans and weights without a checkpoint, for checks and measurements on a GPU. */
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { modelFileFor } from '../models/registry.js';
import { fuse } from '../passes/fuse.js';
import { hiddenStates } from '../passes/hidden-states.js';
import { quantise } from '../passes/quantise.js';
import { shard } from '../passes/shard.js';
import { configFields, type LlamaShape } from '../random-weights/shapes.js';
import { type DType, tensorBytes } from '../../core/dtype.js';
import type { Gpu } from '../../device/cuda/gpu.js';
import type { Kernels } from '../../device/cuda/kernels.js';
import type { Stream } from '../../device/cuda/stream.js';
import { cudaSpecs } from '../../device/cuda/cuda-weight-layout.js';
import { FILL_ARGS } from '../../ops/cuda/tool-kernels.js';
import { weightsOf } from '../../plan/operands.js';
import type { AttentionScores, LinearOp, Plan, PlanWeight } from '../../plan/plan.js';
import {
  elementOf,
  type FormatName,
  QUANTISED_FORMATS,
  type WeightFormat,
} from '../../plan/weight-format.js';

export interface PlanChoice {
  readonly shape: LlamaShape;
  readonly dtype: 'f16' | 'bf16';
  readonly weights: 'dense' | FormatName;
  /** As in {@link LinearOp}. */
  readonly inputBits?: LinearOp['inputBits'];
  /** Default: one rank. */
  readonly ranks?: { readonly rank: number; readonly worldSize: number };
  /** Gives hidden states. Default: logits. */
  readonly embeds?: boolean;
}

export function benchmarkPlan({ shape, dtype, weights, inputBits, ranks, embeds = false }: PlanChoice): Plan {
  const config = parseModelConfig(new JsonFile('random weights', configFields(shape)));
  const definition = modelFileFor(config.architecture, 'random weights').define(config, dtype);
  const plan = embeds ? hiddenStates(definition.plan) : definition.plan;
  const fused = fuse(shard({ ...definition, plan }, ranks?.rank ?? 0, ranks?.worldSize ?? 1));
  const format = QUANTISED_FORMATS.get(weights);
  const inputs = inputBits === undefined ? {} : { inputBits };
  return quantise(fused, format === undefined ? null : { format, parts: new Set(['layers']), ...inputs });
}

/** The plan with what Gemma's layers have beside the ops of LLaMA. */
export function asInGemma(plan: Plan): Plan {
  const headNorm: PlanWeight = {
    shape: [plan.dims.headDim],
    format: { type: 'dense', dtype: plan.activationDtype },
    source: { parts: [] },
  };
  const ops = plan.ops.flatMap((op): Plan['ops'] => {
    if (op.kind === 'swiglu') return [{ ...op, kind: 'geglu' }];
    if (op.kind !== 'ropeAppend') return [op];
    return [
      { kind: 'headNorm', qkv: op.qkv, queryWeight: 'headNorm', keyWeight: 'headNorm', epsilon: 1e-6 },
      op,
    ];
  });
  const softCap = { kind: 'softCap', x: plan.logits, cap: 30 } as const;
  return { ...plan, ops: [...ops, softCap], weights: { ...plan.weights, headNorm } };
}

/**
 * The plan with four experts in place of each feed-forward network, two of them for a token; its weights have no source.
 * @param weights format of the experts
 */
export function asMixture(plan: Plan, weights: PlanChoice['weights'] = 'dense'): Plan {
  const { hidden, intermediate } = plan.dims;
  const expertCount = 4;
  const dense = { type: 'dense', dtype: plan.activationDtype } as const;
  const quantised = QUANTISED_FORMATS.get(weights) ?? dense;
  const weight = (shape: readonly number[], format: WeightFormat): PlanWeight => ({
    ...{ shape, format },
    source: { parts: [] },
  });
  const gated = plan.ops.filter((op) => op.kind === 'swiglu' || op.kind === 'geglu');
  const gateUps = new Set(gated.map(({ gateUp }) => gateUp));
  const ops = plan.ops.flatMap((op): Plan['ops'] => {
    if (op.kind === 'linear' && gateUps.has(op.out)) {
      const router = { ...op, weight: 'router', bias: null, out: 'routerLogits', outDtype: 'f32' } as const;
      const shared = { routes: 'routes', expertCount } as const;
      return [
        router,
        {
          kind: 'routeExperts',
          logits: 'routerLogits',
          expertsPerToken: 2,
          isNormalised: true,
          out: 'routes',
        },
        { kind: 'expertGateUp', ...shared, x: op.x, weight: 'gateUps', out: 'gatedOfExperts' },
        { kind: 'expertDown', ...shared, gated: 'gatedOfExperts', weight: 'downs', out: 'delta' },
      ];
    }
    if (op.kind === 'swiglu' || op.kind === 'geglu') return [];
    return op.kind === 'linear' && op.x === 'gated' ? [] : [op];
  });
  const experts = {
    router: weight([expertCount, hidden], dense),
    gateUps: weight([expertCount * 2 * intermediate, hidden], quantised),
    downs: weight([expertCount * hidden, intermediate], quantised),
  };
  return { ...plan, ops, weights: { ...plan.weights, ...experts } };
}

/** The plan with this window and soft cap in all layers. */
export function withScores(plan: Plan, scores: AttentionScores): Plan {
  return { ...plan, ops: plan.ops.map((op) => (op.kind === 'pagedAttention' ? { ...op, ...scores } : op)) };
}

export interface DeviceWeights {
  readonly address: (name: string) => number;
  readonly byteLength: number;
}

const WEIGHT_AMPLITUDE = 0.034; // uniform with the deviation of a freshly initialised model, 0.02
const INT8_SCALE = 0.02 / 73; // of uniform values in [-127, 127]
const FP8_SCALE = 0.02 / 0.62; // of E4M3 below 2 with uniform bits
const INT4_SCALES = 0x1c711c71; // f16 of 0.02 / 4.61, the deviation of uniform values in [-8, 7], twice

function fillKernel(dtype: DType, format: WeightFormat): string {
  if (elementOf(format) === 'int4') return 'fill_int4';
  if (elementOf(format) === 'fp8') return 'fill_fp8';
  return dtype === 'u8' || dtype === 'i8' ? 'fill_int8' : 'fill_act';
}

/** Packed weights drawn on the device: uniform matrices, norms of one. Needs the unit `random`. */
export function drawWeights(gpu: Gpu, kernels: Kernels, stream: Stream, plan: Plan): DeviceWeights {
  const addresses = new Map<string, number>();
  let byteLength = 0;
  let seed = 1;
  for (const [name, use] of new Map(plan.ops.flatMap((op) => [...weightsOf(op)]))) {
    for (const spec of cudaSpecs(name, plan.weights[name]!, use)) {
      const bytes = tensorBytes(spec.dtype, spec.shape);
      const address = gpu.allocate(bytes, spec.name);
      addresses.set(spec.name, address);
      byteLength += bytes;
      if (use === 'vector') fillVector(stream, plan, address, bytes);
      else if (spec.dtype === 'f32') fillScales(gpu, address, bytes, plan.weights[name]!.format);
      else {
        const tileWords = spec.shape.at(-1)! / 4;
        const fields = { words: Math.floor(bytes / 4), tileWords, scales: INT4_SCALES };
        const args = FILL_ARGS.of({ out: address, ...fields, amplitude: WEIGHT_AMPLITUDE, seed: seed++ });
        const kernel = fillKernel(spec.dtype, plan.weights[name]!.format);
        const size = { grid: [1024, 1, 1], blockThreads: 256, sharedBytes: 0 } as const;
        kernels.launch(stream, { unit: 'random', kernel, ...size, args }, false);
      }
    }
  }
  stream.synchronize();
  return { byteLength, address: (name) => addresses.get(name)! };
}

const ONES_F16 = 0x3c003c00;
const ONES_BF16 = 0x3f803f80;

function fillVector(stream: Stream, plan: Plan, address: number, bytes: number): void {
  stream.fillWords(address, plan.activationDtype === 'bf16' ? ONES_BF16 : ONES_F16, bytes / 4);
}

function fillScales(gpu: Gpu, address: number, bytes: number, format: WeightFormat): void {
  const scale = elementOf(format) === 'fp8' ? FP8_SCALE : INT8_SCALE;
  gpu.upload(address, new Float32Array(bytes / 4).fill(scale));
}
