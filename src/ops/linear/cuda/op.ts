/** Linear layers of a plan on a GPU: the problems that they pose, the kernels that solve them, and the launches. */
import type { Plan } from '../../../plan/plan.js';
import { hasOrder, type WeightFormat } from '../../../plan/weight-format.js';
import { commonPart, type CudaOpDefinition } from '../../cuda/definition.js';
import { cudaDtype } from '../../cuda/dtype.js';
import type { CudaLinear, LoweredLinear, NormBetween } from '../../cuda/lower.js';
import type { CudaScope } from '../../cuda/scope.js';
import type { LaunchSink } from '../../cuda/sink.js';
import { swigluLaunch } from '../../swiglu/cuda.js';
import { canEndWith, kernelChooser, type LinearChooser } from './choose.js';
import type { LinearLaunch, LinearOperands } from './method.js';
import { type LinearConfig, methodOf } from './methods.js';
import { ORDER_INPUT_PART, orderInputLaunch } from './order-input.js';
import type { CudaLinearProblem, Epilogue } from './problem.js';
import { MIN_X_MAP_ROWS, ROW_CLASSES, rowClass } from './row-classes.js';
import { storedWeights } from './stored-weights.js';

/** A problem, and the configuration that solves it. */
interface Solution {
  readonly problem: CudaLinearProblem;
  readonly config: LinearConfig;
}

/** Solves a layer for a number of rows: with SwiGLU where there is one kernel for both, else without. */
export function solveLinear(op: LoweredLinear, plan: Plan, m: number, choose: LinearChooser): Solution {
  const { shape, format } = plan.weights[op.weight]!;
  const { inputBits, hasRoundedInput: inputIsRounded } = op;
  const size = {
    m,
    n: shape[0]!,
    k: shape[1]!,
    format,
    ...(inputBits === undefined ? {} : { inputBits, inputIsRounded }),
  };
  if (op.gate !== undefined) {
    const problem = { ...size, epilogue: 'swiglu' } as const;
    const config = choose(problem);
    if (canEndWith(config, problem)) return { problem, config };
  }
  const problem = { ...size, epilogue: op.outDtype === 'f32' ? 'f32' : 'store' } as const;
  return { problem, config: choose(problem) };
}

/** Whether the layers before and after a norm do its work in steps of `m` rows. */
export function sharesNorm(
  between: NormBetween | undefined,
  plan: Plan,
  m: number,
  choose: LinearChooser,
): boolean {
  if (between === undefined) return false;
  return [between.before, between.after].every(
    (layer) => methodOf(solveLinear(layer, plan, m, choose).config).normedKernel !== undefined,
  );
}

/** A layer at the numbers of rows of one class. */
interface Variant {
  readonly epilogue: Epilogue;
  readonly launch: LinearLaunch;
}

export const linearOp: CudaOpDefinition<CudaLinear> = {
  *kernels(op, { plan, target, chooseLinear }) {
    // For products by the matrix library: a dense copy before them, and what follows them.
    const { format } = plan.weights[op.weight]!;
    if (hasOrder(format)) yield ORDER_INPUT_PART;
    const { dequantise } = storedWeights(format);
    if (dequantise !== undefined) yield { unit: 'common', ...dequantise };
    yield commonPart('add/add.cu');
    if (op.gate !== undefined) yield commonPart('swiglu/swiglu.cu');
    const choose = kernelChooser(chooseLinear, target);
    for (const m of ROW_CLASSES) {
      const { problem, config } = solveLinear(op, plan, m, choose);
      const method = methodOf(config);
      const kernel = method.kernel(config, problem);
      if (kernel !== undefined) yield kernel;
      if (sharesNorm(op.normAfter, plan, m, choose)) yield method.normedKernel!(config, problem);
    }
  },
  bind(op, scope) {
    const { gate, index } = op;
    const rows = scope.rows(op.x);
    const variants = bindVariants(op, scope);
    const order = bindOrder(op, scope);
    const gateUp = scope.at(op.out);
    const gated = gate && { out: scope.next().at(gate.out), columns: scope.next().columns(gate.out) };
    return (step, sink) => {
      const m = rows(step);
      const { epilogue, launch } = variants.get(rowClass(m))!;
      order?.(m, sink);
      launch(m, sink);
      if (gated === undefined || epilogue === 'swiglu') return;
      sink.startOp?.(index + 1);
      sink.kernel(swigluLaunch(m, gated.columns, gateUp, gated.out));
    };
  },
};

/** Variants by class, of every class that a step can have. */
function bindVariants(op: CudaLinear, scope: CudaScope): ReadonlyMap<number, Variant> {
  const { plan, memory, chooseLinear } = scope.context;
  const xRows = Math.max(MIN_X_MAP_ROWS, memory.valueRows(scope.value(op.x)));
  const { inputCodes, inputScales: inputScale } = memory;
  const weight = memory.tensor(op.weight);
  const { format } = plan.weights[op.weight]!;
  const x = hasOrder(format) ? memory.orderedInput : scope.at(op.x);
  const matrices = { dtype: cudaDtype(plan), x, xRows, weight, inputCodes };
  const fixed = {
    ...matrices,
    ...parametersOf(op, scope, format),
    inputScale,
    hasCodes: op.hasRoundedInput,
    denseCopy: memory.denseCopy,
    multiprocessorCount: scope.context.target.multiprocessorCount,
  };
  const classes = ROW_CLASSES.filter((rows) => rows <= rowClass(xRows));
  return new Map(
    classes.map((m) => {
      const { problem, config } = solveLinear(op, plan, m, chooseLinear);
      const method = methodOf(config);
      const maps = method.maps(config, problem, matrices).map(memory.tensorMap);
      const norms = normOperands(op, scope, m);
      const out = problem.epilogue === 'swiglu' ? scope.next().at(op.gate!.out) : scope.at(op.out);
      const launch = method.bind(config, problem, { ...fixed, maps, out, ...norms });
      return [m, { epilogue: problem.epilogue, launch }];
    }),
  );
}

/** Operands of the norms that a layer has a part in, in steps of `m` rows. */
function normOperands(
  { normBefore: before, normAfter: after }: CudaLinear,
  scope: CudaScope,
  m: number,
): Partial<LinearOperands> {
  const { plan, memory, chooseLinear } = scope.context;
  const [hasBefore, hasAfter] = [before, after].map((between) => sharesNorm(between, plan, m, chooseLinear));
  const { squares } = memory;
  const of = ({ norm }: NormBetween) => ({ weight: memory.tensor(norm.weight), squares });
  const next = scope.next();
  return {
    ...(hasBefore && { normBefore: { ...of(before!), epsilon: before!.norm.epsilon } }),
    ...(hasAfter && {
      normAfter: { ...of(after!), residual: next.at(after!.norm.residual) },
      out: next.at(after!.norm.out),
    }),
  };
}

/** Brings the rows of x into the order of codes; undefined for weights whose codes lie as inputs do. */
function bindOrder(
  { x, weight }: CudaLinear,
  scope: CudaScope,
): ((rows: number, sink: LaunchSink) => void) | undefined {
  const { plan, memory } = scope.context;
  if (!hasOrder(plan.weights[weight]!.format)) return undefined;
  const operands = { x: scope.at(x), order: memory.tensor(`${weight}.order`), out: memory.orderedInput };
  const args = { ...operands, k: scope.columns(x) };
  return (rows, sink) => sink.kernel(orderInputLaunch(rows, args));
}

/** Addresses of scales and bias; 0 for those that a layer does not have. */
function parametersOf(
  { weight, bias }: CudaLinear,
  { context: { memory } }: CudaScope,
  format: WeightFormat,
): Pick<LinearOperands, 'scale' | 'bias'> {
  return {
    scale: storedWeights(format).hasRowScales ? memory.tensor(`${weight}.scale`) : 0,
    bias: bias === null ? 0 : memory.tensor(bias),
  };
}
