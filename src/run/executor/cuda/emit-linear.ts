/** From a linear op to launches: its own kernel for few rows, cuBLASLt for many, one kernel with SwiGLU where there is one. */
import { addBiasLaunch } from '../../../ops/add/cuda.js';
import type { TensorMap } from '../../../ops/cuda/launch.js';
import {
  canFuseSwiglu,
  dequantiseLaunch,
  linearLaunch,
  xMapRows,
  type GeneratedConfig,
  type LinearOperands,
  type LinearProblem,
} from '../../../ops/linear/cuda/cuda.js';
import { tileBox, type TileBox } from '../../../ops/linear/cuda/wide.js';
import { MATMUL_ROW_STEP } from '../../../ops/linear/cuda/row-classes.js';
import type { LinearOp, Plan, SwigluOp } from '../../../plan/plan.js';
import { type OpContext, rowsOf } from './op-context.js';

export const xMapKey = (address: number, columns: number, rows: number): string =>
  `x:${address}:${columns}:${rows}`;
export const weightMapKey = (name: string): string => `w:${name}`;
export const tileMapKey = (name: string, { across, down }: TileBox): string => `t:${name}:${across}:${down}`;

export function matmulRows(rows: number): number {
  return rows <= MATMUL_ROW_STEP ? rows : Math.ceil(rows / MATMUL_ROW_STEP) * MATMUL_ROW_STEP;
}

/** The problem that a linear op poses at a number of rows. */
function linearProblem(plan: Plan, op: LinearOp, m: number, fused: boolean): LinearProblem {
  const { shape, format } = plan.weights[op.weight]!;
  const isInt8 = format.type === 'quantised';
  const epilogue = fused ? 'swiglu' : op.outDtype === 'f32' ? 'f32' : 'store';
  return { m, n: shape[0]!, k: shape[1]!, isInt8, epilogue };
}

/** A linear layer by itself. */
export function emitLinear(context: OpContext, op: LinearOp): void {
  const { program, memory, sink, index } = context;
  const m = rowsOf(context, op.x);
  const problem = linearProblem(program.plan, op, m, false);
  const config = program.chooseLinear(problem);
  const out = memory.buffer(index, op.out);
  if (config.method !== 'matmul') {
    sink.kernel(linearLaunch(config, problem, linearOperands(context, op, config, { problem, out })));
    return;
  }
  let weight = memory.tensor(op.weight);
  if (problem.isInt8) {
    const scale = memory.tensor(`${op.weight}.scale`);
    sink.kernel(dequantiseLaunch(problem, { weight, scale, out: memory.denseWeight }));
    weight = memory.denseWeight;
  }
  const { n, k } = problem;
  const inputDtype = program.plan.activationDtype === 'bf16' ? 'bf16' : 'f16';
  const outputDtype = op.outDtype === 'f32' ? 'f32' : inputDtype;
  const shape = { m: matmulRows(m), n, k, inputDtype, outputDtype } as const;
  sink.matmul(shape, { x: memory.buffer(index, op.x), weight, out }, config.algorithm ?? 0);
  if (op.bias !== null) sink.kernel(addBiasLaunch(m, n, out, memory.tensor(op.bias)));
}

/** Gate-up and SwiGLU as one kernel. @returns false when there is none, and only gate-up was enqueued */
export function emitGatedLinear(context: OpContext, op: LinearOp, swiglu: SwigluOp): boolean {
  const { program, memory, sink, index } = context;
  const problem = linearProblem(program.plan, op, rowsOf(context, op.x), true);
  const config = program.chooseLinear(problem);
  if (config.method === 'matmul' || !canFuseSwiglu(config, problem.n / 2)) {
    emitLinear(context, op);
    return false;
  }
  const out = memory.buffer(index + 1, swiglu.out);
  sink.kernel(linearLaunch(config, problem, linearOperands(context, op, config, { problem, out })));
  return true;
}

function linearOperands(
  { program, memory, index }: OpContext,
  op: LinearOp,
  config: GeneratedConfig,
  { problem, out }: { readonly problem: LinearProblem; readonly out: number },
): LinearOperands {
  const { format, shape } = program.plan.weights[op.weight]!;
  const isInt8 = format.type === 'quantised';
  const x = memory.buffer(index, op.x);
  const weightMap = (): TensorMap | undefined => {
    if (config.method === 'wide')
      return memory.tensorMap(tileMapKey(op.weight, tileBox(config, problem.epilogue)));
    return config.method === 'ring' && !isInt8 ? memory.tensorMap(weightMapKey(op.weight)) : undefined;
  };
  const readsBoxes = config.method !== 'stream';
  return {
    x,
    xMap: readsBoxes ? memory.tensorMap(xMapKey(x, shape[1]!, xMapRows(config, problem.m))) : undefined,
    weight: memory.tensor(op.weight),
    weightMap: weightMap(),
    scale: isInt8 ? memory.tensor(`${op.weight}.scale`) : 0,
    bias: op.bias === null ? 0 : memory.tensor(op.bias),
    out,
    multiprocessorCount: program.device.multiprocessorCount,
  };
}
