/** The op kinds of a plan, one file each, and how tables over them are typed and read. */
import { add, type AddOp } from './add.js';
import { addRmsNorm, type AddRmsNormOp } from './add-rms-norm.js';
import { allGather, type AllGatherOp } from './all-gather.js';
import { allReduce, type AllReduceOp } from './all-reduce.js';
import { embedding, type EmbeddingOp } from './embedding.js';
import { expertDown, type ExpertDownOp } from './expert-down.js';
import { expertGateUp, type ExpertGateUpOp } from './expert-gate-up.js';
import { gather, type GatherOp } from './gather.js';
import { geglu, type GegluOp } from './geglu.js';
import { headNorm, type HeadNormOp } from './head-norm.js';
import { linear, type LinearOp } from './linear.js';
import type { OpDefinition } from './op-definition.js';
import { pagedAttention, type PagedAttentionOp } from './paged-attention.js';
import { rmsNorm, type RmsNormOp } from './rms-norm.js';
import { ropeAppend, type RopeAppendOp } from './rope-append.js';
import { routeExperts, type RouteExpertsOp } from './route-experts.js';
import { softCap, type SoftCapOp } from './soft-cap.js';
import { swiglu, type SwigluOp } from './swiglu.js';

export type {
  AddOp,
  AddRmsNormOp,
  AllGatherOp,
  AllReduceOp,
  EmbeddingOp,
  ExpertDownOp,
  ExpertGateUpOp,
  GatherOp,
  GegluOp,
  HeadNormOp,
  LinearOp,
  PagedAttentionOp,
  RmsNormOp,
  RopeAppendOp,
  RouteExpertsOp,
  SoftCapOp,
  SwigluOp,
};
export type { AttentionScores } from './paged-attention.js';
export type { RopeParams, RopeScaling } from './rope-append.js';

export type PlanOp =
  | EmbeddingOp
  | RmsNormOp
  | AddRmsNormOp
  | AddOp
  | LinearOp
  | RopeAppendOp
  | PagedAttentionOp
  | SwigluOp
  | GegluOp
  | HeadNormOp
  | SoftCapOp
  | RouteExpertsOp
  | ExpertGateUpOp
  | ExpertDownOp
  | GatherOp
  | AllReduceOp
  | AllGatherOp;

export type OpKind = PlanOp['kind'];

/** The op of a kind; of a union of kinds, the union of their ops. */
export type OpOf<Kind extends OpKind> = {
  [K in Kind]: Extract<PlanOp, { readonly kind: K }>;
}[Kind];

/** The definition of each kind. A kind without an entry does not compile. */
export const OP_KINDS: { readonly [Kind in OpKind]: OpDefinition<OpOf<Kind>> } = {
  embedding,
  rmsNorm,
  addRmsNorm,
  add,
  linear,
  ropeAppend,
  pagedAttention,
  swiglu,
  geglu,
  headNorm,
  softCap,
  routeExperts,
  expertGateUp,
  expertDown,
  gather,
  allReduce,
  allGather,
};

export function definitionOf<Kind extends OpKind>(op: OpOf<Kind>): OpDefinition<OpOf<Kind>> {
  return OP_KINDS[op.kind];
}

/** A function for each op kind that takes an op of that kind first. A kind without an entry does not compile. */
export type OpTable<Rest extends readonly unknown[], Result> = {
  readonly [Kind in OpKind]: (op: OpOf<Kind>, ...rest: Rest) => Result;
};

/** Calls the function of the op's kind. */
export function dispatch<Kind extends OpKind, Rest extends readonly unknown[], Result>(
  table: OpTable<Rest, Result>,
  op: OpOf<Kind>,
  ...rest: Rest
): Result {
  return table[op.kind](op, ...rest);
}
