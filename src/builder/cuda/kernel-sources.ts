/** The kernel sources of a plan: which files, specialised by which constants, make which unit of machine code. */
import type { CudaTarget } from '../../ops/cuda/capability.js';
import { commonPart, type UnitPart } from '../../ops/cuda/definition.js';
import { type CudaDtype, cudaDtype, dtypeDefines } from '../../ops/cuda/dtype.js';
import { kernelSource } from '../../ops/cuda/kernel-files.js';
import { lowerForCuda } from '../../ops/cuda/lower.js';
import { cudaOpOf } from '../../ops/cuda/ops.js';
import { type LinearChooser, linearChooser } from '../../ops/linear/cuda/choose.js';
import type { GeneratedKernel } from '../../ops/linear/cuda/method.js';
import { type LinearConfig, methodOf } from '../../ops/linear/cuda/methods.js';
import type { CudaLinearProblem } from '../../ops/linear/cuda/problem.js';
import { cacheDefines, scoreDefines } from '../../ops/paged-attention/cuda-defines.js';
import { decodeKernelsFor } from '../../ops/paged-attention/cuda-decode.js';
import type { Plan } from '../../plan/plan.js';
import { architectureName } from '../../device/cuda/architecture.js';
import type { CompileRequest, CompiledUnit, Nvrtc } from '../../device/cuda/nvrtc.js';

/** Units that come first in an engine; those of linear layers follow by name. */
const FIRST_UNITS = ['common', 'attention', 'sample'];
/** Units whose results must match a reference bit by bit: no approximate functions. */
const EXACT_UNITS: ReadonlySet<string> = new Set(['sample']);
/** For every plan: what a step takes and leaves is copied, and the device is measured. */
const OF_EVERY_PLAN = ['cuda/copy-words.cu', 'cuda/limits.cu'].map(commonPart);

/** Every unit that a plan needs, with the kernels that `chooseLinear` can ask for. */
export function kernelUnits(
  plan: Plan,
  target: CudaTarget,
  blockTokens: number,
  chooseLinear: LinearChooser = linearChooser(target),
): readonly CompileRequest[] {
  const context = { plan, target, blockTokens, chooseLinear };
  const ofOps = lowerForCuda(plan).ops.flatMap((op) => [...cudaOpOf(op).kernels(op, context)]);
  const parts = [...ofOps, ...OF_EVERY_PLAN];
  const names = new Set(parts.map(({ unit }) => unit));
  const others = [...names].filter((unit) => !FIRST_UNITS.includes(unit)).toSorted();
  const shared = {
    arch: architectureName(target.computeCapability),
    defines: planDefines(plan, target, blockTokens),
  };
  return [...FIRST_UNITS, ...others].map((name) => ({
    name,
    ...sourceOf(parts.filter(({ unit }) => unit === name)),
    ...shared,
    isFastMath: !EXACT_UNITS.has(name),
  }));
}

/** Source of a unit; parts that several ops need are in it once. */
function sourceOf(parts: readonly UnitPart[]) {
  const files = new Set(parts.map(({ file }) => file));
  const lines = new Set(parts.flatMap(({ line }) => (line === undefined ? [] : [line])));
  return kernelSource([...files], [...lines]);
}

/** Constants that kernels are specialised by. */
function planDefines(plan: Plan, target: CudaTarget, blockTokens: number): Readonly<Record<string, number>> {
  const { headCount, kvHeadCount, headDim, hidden } = plan.dims;
  const decode = decodeKernelsFor(plan, target.computeCapability, blockTokens);
  return {
    ...dtypeDefines(cudaDtype(plan)),
    ...cacheDefines(plan, blockTokens),
    ...scoreDefines(plan),
    HEAD_DIM: headDim,
    GROUP: headCount / kvHeadCount,
    BLOCK_TOKENS: blockTokens,
    ...decode.defines,
    HIDDEN: hidden,
    ...(plan.worldSize > 1 ? { RANKS: plan.worldSize } : {}),
  };
}

/** Kernels that are compared with each other on these problems, as one unit; undefined when only the matrix library competes. */
export function trialUnit(
  problems: readonly CudaLinearProblem[],
  candidates: (problem: CudaLinearProblem) => readonly LinearConfig[],
  target: UnitTarget,
): CompileRequest | undefined {
  const kernels = problems.flatMap((problem) =>
    candidates(problem).map((config) => methodOf(config).kernel(config, problem)),
  );
  const parts = kernels.filter((kernel) => kernel !== undefined);
  return parts.length === 0 ? undefined : linearTrials(parts, target);
}

interface UnitTarget {
  readonly computeCapability: number;
  readonly dtype: CudaDtype;
}

/** Kernels of linear layers as one unit. */
export function linearTrials(
  parts: readonly GeneratedKernel[],
  { computeCapability, dtype }: UnitTarget,
): CompileRequest {
  return {
    name: 'trials',
    ...sourceOf(parts),
    arch: architectureName(computeCapability),
    defines: dtypeDefines(dtype),
    isFastMath: true,
  };
}

/** Machine code of a plan's units, by name. */
export function compileUnits(
  nvrtc: Nvrtc,
  units: readonly CompileRequest[],
): ReadonlyMap<string, CompiledUnit> {
  return new Map(units.map((unit) => [unit.name, nvrtc.compile(unit)]));
}
