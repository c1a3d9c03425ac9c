/** A plan bound to a GPU: instructions that enqueue its ops, with everything looked up that is the same in every step. */
import type { LoweredPlan } from '../../../ops/cuda/lower.js';
import { cudaOpOf } from '../../../ops/cuda/ops.js';
import { type CudaContext, CudaScope, type CudaStep, type CudaInstruction } from '../../../ops/cuda/scope.js';
import type { LaunchSink } from '../../../ops/cuda/sink.js';
import { outputOf, readsOf } from '../../../plan/operands.js';

/** Parts of a step that are enqueued together: all of it, what needs no masks, or sampling alone. */
export type StepPart = 'whole' | 'forward' | 'sampling';

/** Enqueues a step, or a part of it. */
export type Program = (step: CudaStep, sink: LaunchSink, part: StepPart) => void;

interface BoundOp {
  readonly index: number;
  readonly enqueue: CudaInstruction;
  readonly part: StepPart;
  /** Whether it works on the tokens whose logits are wanted, of which a step may have none. */
  readonly isOnLogits: boolean;
}

export function bindProgram({ ops }: LoweredPlan, context: CudaContext): Program {
  const bound = ops.map((op): BoundOp => {
    const { index } = op;
    const enqueue = cudaOpOf(op).bind(op, new CudaScope(context, index));
    const part = op.kind === 'sample' ? 'sampling' : 'forward';
    return { index, enqueue, part, isOnLogits: isOnLogits(context, index) };
  });
  return (step, sink, part) => {
    for (const { index, enqueue, part: own, isOnLogits } of bound) {
      if ((part !== 'whole' && part !== own) || (isOnLogits && step.logits === 0)) continue;
      sink.startOp?.(index);
      enqueue(step, sink);
    }
  };
}

function isOnLogits({ plan, inferred }: CudaContext, index: number): boolean {
  const op = plan.ops[index];
  if (op === undefined) return true; // sampling
  return inferred.operands[index]!.get(outputOf(op) ?? readsOf(op)[0]!)!.rows === 'logits';
}
