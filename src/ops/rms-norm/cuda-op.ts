/** Norms on a GPU: activations, or what a linear layer takes in 8 bits. */
import { commonPart, type CudaOpDefinition, type UnitPart } from '../cuda/definition.js';
import type { CudaOpOf } from '../cuda/lower.js';
import type { CudaInstruction, CudaScope } from '../cuda/scope.js';
import { kernelChooser, type LinearChooser } from '../linear/cuda/choose.js';
import { inputCodesOf } from '../linear/cuda/methods.js';
import { sharesNorm, solveLinear } from '../linear/cuda/op.js';
import { ROW_CLASSES, rowClass } from '../linear/cuda/row-classes.js';
import type { Plan } from '../../plan/plan.js';
import type { InputCodes } from '../linear/cuda/method.js';
import { rmsNormCodesLaunch, rmsNormLaunch } from './cuda.js';

type CudaNorm = CudaOpOf<'rmsNorm' | 'addRmsNorm'>;

/** Types of the codes in row-codes.cuh. */
const CODE_TYPES: Readonly<Record<InputCodes, string>> = { int8: 'Int8Codes', e4m3: 'E4m3Codes' };

/** Codes that a norm makes for its reader in steps of a class; undefined: activations. */
function codesFor(
  { reader }: CudaNorm,
  plan: Plan,
  rows: number,
  choose: LinearChooser,
): InputCodes | undefined {
  return reader && inputCodesOf(solveLinear(reader, plan, rows, choose).config);
}

function* kernels(
  op: CudaNorm,
  { plan, target, chooseLinear }: Parameters<CudaOpDefinition<CudaNorm>['kernels']>[1],
): Iterable<UnitPart> {
  yield commonPart('rms-norm/rms-norm.cu');
  const choose = kernelChooser(chooseLinear, target);
  for (const rows of ROW_CLASSES) {
    const codes = codesFor(op, plan, rows, choose);
    if (codes === undefined) continue;
    const line = `RMS_NORM_CODES_KERNELS(${codes}, ${CODE_TYPES[codes]})`;
    yield { ...commonPart('rms-norm/rms-norm-codes.cu'), line };
  }
}

/** @param delta address of what is added to `x` first, or null */
function bindNorm(op: CudaNorm, x: number, delta: number | null, scope: CudaScope): CudaInstruction {
  const { plan, memory, chooseLinear } = scope.context;
  const operands = { x, delta, weight: memory.tensor(op.weight), out: scope.at(op.out) };
  const coded = { ...operands, out: memory.inputCodes, scale: memory.inputScales };
  const rowsOf = scope.rows(op.out);
  const codes = new Map(ROW_CLASSES.map((rows) => [rows, codesFor(op, plan, rows, chooseLinear)]));
  const shared = new Set(ROW_CLASSES.filter((rows) => sharesNorm(op.between, plan, rows, chooseLinear)));
  return (step, sink) => {
    const rows = rowsOf(step);
    const size = rowClass(rows);
    if (shared.has(size)) return;
    const made = codes.get(size);
    sink.kernel(
      made === undefined
        ? rmsNormLaunch(rows, op.epsilon, operands)
        : rmsNormCodesLaunch(made, rows, op.epsilon, coded),
    );
  };
}

export const rmsNormOp: CudaOpDefinition<CudaOpOf<'rmsNorm'>> = {
  kernels,
  bind: (op, scope) => bindNorm(op, scope.at(op.x), null, scope),
};

export const addRmsNormOp: CudaOpDefinition<CudaOpOf<'addRmsNorm'>> = {
  kernels,
  bind: (op, scope) => bindNorm(op, scope.at(op.residual), scope.at(op.delta), scope),
};
