/** The kernel sources of a plan: which files, specialised by which constants, make which unit of machine code. */
import type { CudaTarget } from '../../ops/cuda/capability.js';
import { kernelSource, type KernelSource } from '../../ops/cuda/kernel-files.js';
import {
  canFuseSwiglu,
  kernelLine,
  linearFile,
  linearUnit,
  type LinearConfig,
  type LinearProblem,
} from '../../ops/linear/cuda/cuda.js';
import { linearChooser, type LinearChooser } from '../../ops/linear/cuda/tuning.js';
import { ROW_CLASSES } from '../../ops/linear/cuda/row-classes.js';
import { attentionFiles, cacheDefines, splitTokensFor } from '../../ops/paged-attention/cuda.js';
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import type { Plan } from '../../plan/plan.js';
import { architectureName } from '../../device/cuda/architecture.js';
import type { CompileRequest, CompiledUnit, Nvrtc } from '../../device/cuda/nvrtc.js';

const commonFiles = (isQuantisedCache: boolean): readonly string[] => [
  'embedding/cuda.cu',
  'gather/cuda.cu',
  'add/cuda.cu',
  'swiglu/cuda.cu',
  'rms-norm/cuda.cu',
  isQuantisedCache ? 'rope/cuda-8bit.cu' : 'rope/cuda.cu',
  'linear/cuda/dequantise.cu',
  'cuda/limits.cu',
];
/** Every unit that a plan needs, with the kernels that `choose` can ask for. */
export function kernelUnits(
  plan: Plan,
  target: CudaTarget,
  blockTokens: number,
  choose: LinearChooser = linearChooser(target),
): readonly CompileRequest[] {
  const { headCount, kvHeadCount, headDim, hidden } = plan.dims;
  const arch = architectureName(target.computeCapability);
  const group = headCount / kvHeadCount;
  const activation: Record<string, number> = plan.activationDtype === 'bf16' ? { ACT_BF16: 1 } : {};
  const shape = { HEAD_DIM: headDim, GROUP: group, BLOCK_TOKENS: blockTokens, HIDDEN: hidden };
  const cache = cacheDefines(plan, blockTokens);
  const defines = {
    ...activation,
    ...cache,
    ...shape,
    SPLIT_TOKENS: splitTokensFor(target, group, blockTokens),
  };
  const unit = (name: string, source: KernelSource, isFastMath = true): CompileRequest => ({
    name,
    ...source,
    arch,
    defines,
    isFastMath,
  });
  const units = [
    unit('common', kernelSource(commonFiles(isQuantisedKv(plan.kvDtype)))),
    unit('attention', kernelSource(attentionFiles(plan, target.computeCapability, blockTokens))),
    unit('sample', kernelSource(['sample/cuda.cu']), false),
  ];
  for (const isInt8 of [false, true]) {
    const { files, lines } = linearLines(plan, withBuiltIn(choose, linearChooser(target)), isInt8);
    if (lines.size > 0) units.push(unit(linearUnit(isInt8), kernelSource([...files], [...lines])));
  }
  return units;
}

/** Another version of cuBLASLt may not know the algorithm that won; then the built-in kernel runs, so it must be there. */
function withBuiltIn(choose: LinearChooser, builtIn: LinearChooser): LinearChooser {
  return (problem) => {
    const config = choose(problem);
    return config.method === 'matmul' ? builtIn(problem) : config;
  };
}

/** The kernels that a plan's linears run: the files that they are made from, and the lines that make them. */
function linearLines(
  plan: Plan,
  choose: LinearChooser,
  isInt8: boolean,
): { readonly files: ReadonlySet<string>; readonly lines: ReadonlySet<string> } {
  const [files, lines] = [new Set<string>(), new Set<string>()];
  for (const [index, op] of plan.ops.entries()) {
    if (op.kind !== 'linear') continue;
    const { shape, format } = plan.weights[op.weight]!;
    if ((format.type === 'quantised') !== isInt8) continue;
    const next = plan.ops[index + 1];
    const isGated = next?.kind === 'swiglu' && next.gateUp === op.out;
    const plain = op.outDtype === 'f32' ? ('f32' as const) : ('store' as const);
    const size = { n: shape[0]!, k: shape[1]!, isInt8 };
    for (const m of ROW_CLASSES)
      for (const epilogue of isGated ? (['swiglu', plain] as const) : [plain]) {
        const problem: LinearProblem = { m, ...size, epilogue };
        const config = choose(problem);
        if (config.method === 'matmul') continue;
        if (epilogue === 'swiglu' && !canFuseSwiglu(config, size.n / 2)) continue;
        files.add(linearFile(config));
        lines.add(kernelLine(config, problem));
        break; // gate and up by themselves only where they cannot be fused
      }
  }
  return { files, lines };
}

/** Kernels that are compared with each other on these problems, as one unit; undefined when only the matrix library competes. */
export function trialUnit(
  problems: readonly LinearProblem[],
  candidates: (problem: LinearProblem) => readonly LinearConfig[],
  { computeCapability, dtype }: { readonly computeCapability: number; readonly dtype: 'f16' | 'bf16' },
): CompileRequest | undefined {
  const [files, lines] = [new Set<string>(), new Set<string>()];
  for (const problem of problems)
    for (const config of candidates(problem)) {
      if (config.method === 'matmul') continue;
      files.add(linearFile(config));
      lines.add(kernelLine(config, problem));
    }
  if (lines.size === 0) return undefined;
  return {
    name: 'trials',
    ...kernelSource([...files], [...lines]),
    arch: architectureName(computeCapability),
    defines: dtype === 'bf16' ? { ACT_BF16: 1 } : {},
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
