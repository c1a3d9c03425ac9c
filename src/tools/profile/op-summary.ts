/** Time of profiled steps by op, beside the limits of the device. Pure. */
import type { OpCost } from '../../plan/ops/op-cost.js';
import type { Plan, PlanOp } from '../../plan/plan.js';
import { type CostModel, opCost } from '../../run/executor/profile/op-cost.js';
import type { DeviceRates } from '../../run/executor/opening/backend.js';
import type { ProfiledStep } from './profile-steps.js';
import { elementOf } from '../../plan/weight-format.js';

/** Ops of all layers that do the same. */
export interface OpSummary {
  readonly name: string;
  /** Kernels that it ran as. */
  readonly kernels: ReadonlySet<string>;
  /** Sums over all steps. */
  readonly opCount: number;
  readonly ms: number;
  readonly cost: OpCost;
  /** Time that the device's measured limits allow for what was moved and computed. */
  readonly limitMs: number;
}

/** `linear mlp.proj 4096x11008 int8`, `pagedAttention`: what is the same in all layers. */
export function opName(plan: Plan, index: number): string {
  const op: PlanOp | undefined = plan.ops[index];
  if (op === undefined) return 'sample';
  if (op.kind !== 'linear') return op.kind;
  const role = op.weight.replace(/^layers\.\d+\./, '').replace(/\.weight$/, '');
  return `linear ${role} ${plan.weights[op.weight]!.shape.join('x')} ${elementOf(plan.weights[op.weight]!.format)}`;
}

/** Slowest first. */
export function summarise(
  steps: readonly ProfiledStep[],
  model: CostModel,
  rates: DeviceRates,
): readonly OpSummary[] {
  const { plan } = model;
  const sums = new Map<string, OpSummary>();
  for (const { step, calls } of steps) {
    const opsOfStep = new Map<number, { ms: number; kernels: Set<string> }>();
    for (const { opIndex, kernel, ms } of calls) {
      const op = opsOfStep.get(opIndex) ?? { ms: 0, kernels: new Set() };
      opsOfStep.set(opIndex, op);
      op.ms += ms;
      op.kernels.add(kernel);
    }
    for (const [opIndex, { ms, kernels }] of opsOfStep) {
      const name = opName(plan, opIndex);
      const cost = opCost(model, opIndex, step);
      const before = sums.get(name);
      sums.set(name, {
        name,
        kernels: new Set([...(before?.kernels ?? []), ...kernels]),
        opCount: (before?.opCount ?? 0) + 1,
        ms: (before?.ms ?? 0) + ms,
        cost: {
          bytes: (before?.cost.bytes ?? 0) + cost.bytes,
          flops: (before?.cost.flops ?? 0) + cost.flops,
        },
        limitMs: (before?.limitMs ?? 0) + limitMs(cost, peakOf(plan, opIndex, rates), rates),
      });
    }
  }
  return [...sums.values()].toSorted((a, b) => b.ms - a.ms);
}

function peakOf(plan: Plan, index: number, { peakGflops }: DeviceRates): number {
  const op = plan.ops[index];
  if (op?.kind !== 'linear') return peakGflops('f32');
  return peakGflops(elementOf(plan.weights[op.weight]!.format), op.inputBits);
}

/** Roofline, Williams et al. 2009: the slower of moving and computing. */
function limitMs({ bytes, flops }: OpCost, peakGflops: number, { readGBps }: DeviceRates): number {
  return Math.max(bytes / readGBps, flops / peakGflops) / 1e6;
}
