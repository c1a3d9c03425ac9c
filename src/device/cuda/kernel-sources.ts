/** The kernel sources of a plan: which files, specialised by which constants, make which unit of machine code. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { canFuseSwiglu, ringKernelSource, ringUnit, type LinearProblem } from '../../ops/linear/cuda.js';
import { linearChooser, type LinearChooser, type LinearTarget } from '../../ops/linear/cuda-tuning.js';
import { splitTokensFor } from '../../ops/paged-attention/cuda.js';
import type { Plan } from '../../plan/plan.js';
import { architectureName } from './architecture.js';
import type { CompileRequest, CompiledUnit, Nvrtc } from './nvrtc.js';

const INCLUDE = '#include "prelude.cuh"';
/** Kernel sources ship with the package, beside the TypeScript sources. */
const opsFolder = new URL('../../../src/ops/', import.meta.url);

const COMMON_FILES = [
  'embedding/cuda.cu',
  'gather/cuda.cu',
  'add/cuda.cu',
  'swiglu/cuda.cu',
  'rms-norm/cuda.cu',
  'rope/cuda.cu',
  'linear/dequantise.cu',
];
const ATTENTION_FILES = ['paged-attention/decode.cu', 'paged-attention/prefill.cu'];

/** Row counts that stand for every configuration of few-row linears. */
const LINEAR_ROWS = [8, 16, 32, 64];

/** Kernel files as one source, the prelude first, so that compilers need no include path. */
export function readKernelSource(files: readonly string[], appended: readonly string[] = []): string {
  const read = (file: string): string => readFileSync(fileURLToPath(new URL(file, opsFolder)), 'utf8');
  const prelude = read('cuda/prelude.cuh').replace('#pragma once', '');
  return [prelude, ...files.map((file) => read(file).replace(INCLUDE, '')), ...appended, ''].join('\n');
}

export type KernelTarget = LinearTarget;

/** Every unit that a plan needs, with the kernels that `choose` can ask for. */
export function kernelUnits(
  plan: Plan,
  target: KernelTarget,
  blockTokens: number,
  choose: LinearChooser = linearChooser(target),
): readonly CompileRequest[] {
  const { headCount, kvHeadCount, headDim, hidden } = plan.dims;
  const arch = architectureName(target.computeCapability);
  const group = headCount / kvHeadCount;
  const activation: Record<string, number> = plan.activationDtype === 'bf16' ? { ACT_BF16: 1 } : {};
  const shape = { HEAD_DIM: headDim, GROUP: group, BLOCK_TOKENS: blockTokens, HIDDEN: hidden };
  const defines = { ...activation, ...shape, SPLIT_TOKENS: splitTokensFor(group) };
  const unit = (name: string, source: string, isFastMath = true): CompileRequest => ({
    ...{ name, source, arch, defines, isFastMath },
  });
  const units = [
    unit('common', readKernelSource(COMMON_FILES)),
    unit('attention', readKernelSource(ATTENTION_FILES)),
    unit('sample', readKernelSource(['sample/cuda.cu']), false),
  ];
  for (const isInt8 of [false, true]) {
    const lines = ringLines(plan, choose, isInt8);
    if (lines.length > 0) units.push(unit(ringUnit(isInt8), readKernelSource(['linear/ring.cu'], lines)));
  }
  return units;
}

function ringLines(plan: Plan, choose: LinearChooser, isInt8: boolean): readonly string[] {
  const lines = new Set<string>();
  for (const [index, op] of plan.ops.entries()) {
    if (op.kind !== 'linear') continue;
    const { shape, format } = plan.weights[op.weight]!;
    if ((format.type === 'int8') !== isInt8) continue;
    const next = plan.ops[index + 1];
    const isGated = next?.kind === 'swiglu' && next.gateUp === op.out;
    for (const m of LINEAR_ROWS)
      for (const epilogue of [op.outDtype === 'f32' ? 'f32' : 'store', ...(isGated ? ['swiglu'] : [])]) {
        const problem = { m, n: shape[0]!, k: shape[1]!, isInt8, epilogue } as LinearProblem;
        const config = choose(problem);
        if (config.method !== 'ring') continue;
        if (epilogue === 'swiglu' && !canFuseSwiglu(config, shape[0]! / 2)) continue;
        lines.add(ringKernelSource(config, problem));
      }
  }
  return [...lines];
}

/** Machine code of a plan's units, by name. */
export function compileUnits(
  nvrtc: Nvrtc,
  units: readonly CompileRequest[],
): ReadonlyMap<string, CompiledUnit> {
  return new Map(units.map((unit) => [unit.name, nvrtc.compile(unit)]));
}
