import type { LinearOp, Plan, PlanWeight, WeightName } from '../../plan/plan.js';
import type { QuantisedFormat } from '../../plan/weight-format.js';
import { listsModuleOf } from '../quantised/module-names.js';

/** Parts of a model that can be stored quantised. TensorRT-LLM's weight-only quantisation takes `layers` alone. */
export type QuantisedPart = 'layers' | 'lm_head' | 'embedding';

/** Which parts of a model are stored in which format. */
export interface Quantisation {
  readonly format: QuantisedFormat;
  readonly parts: ReadonlySet<QuantisedPart>;
  /** Bits that inputs of the quantised layers may be rounded to; absent: none. */
  readonly inputBits?: 8;
  /** Modules of a checkpoint whose weights stay dense, as its configuration lists them. Absent: none. */
  readonly except?: readonly string[];
  /** The only modules whose weights are quantised. Absent: all. */
  readonly only?: readonly string[];
}

/** Stores the matrices of the chosen parts in a quantised format; null leaves the plan as it is. */
export function quantise(plan: Plan, quantisation: Quantisation | null): Plan {
  if (quantisation === null) return plan;
  const { format, parts, inputBits } = quantisation;
  const chosen = new Set<WeightName>();
  for (const op of plan.ops) {
    if (op.kind === 'linear' && isChosen(op, plan, parts)) chosen.add(op.weight);
    if ((op.kind === 'expertGateUp' || op.kind === 'expertDown') && parts.has('layers'))
      chosen.add(op.weight);
    if (op.kind === 'embedding' && parts.has('embedding')) chosen.add(op.table);
  }
  const weights = Object.entries(plan.weights).map(([name, weight]): [WeightName, PlanWeight] => [
    name,
    chosen.has(name) && isConverted(weight, quantisation) ? { ...weight, format } : weight,
  ]);
  const ops = plan.ops.map((op) =>
    inputBits !== undefined && op.kind === 'linear' && op.outDtype !== 'f32' && chosen.has(op.weight)
      ? { ...op, inputBits }
      : op,
  );
  return { ...plan, ops, weights: Object.fromEntries(weights) };
}

/** Whether the modules that a weight comes from are quantised. */
function isConverted({ source }: PlanWeight, { except, only }: Quantisation): boolean {
  const isOneOf = (modules: readonly string[]): boolean =>
    source.parts.some(({ tensor }) => listsModuleOf(tensor, modules));
  return !isOneOf(except ?? []) && (only === undefined || isOneOf(only));
}

/** The router of a mixture of experts has f32 results as the head, but is small and decides: it stays as it is. */
function isChosen({ out, outDtype }: LinearOp, { logits }: Plan, parts: Quantisation['parts']): boolean {
  if (outDtype !== 'f32') return parts.has('layers');
  return isHead(out, logits) && parts.has('lm_head');
}

/** On several ranks the head's result is a part of the logits, which gets a name of its own. */
const isHead = (out: string, logits: string): boolean => out === logits || out === `${logits}OfRank`;
