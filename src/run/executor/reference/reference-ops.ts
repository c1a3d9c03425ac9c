/** The ops of a plan, computed by the scalar references on one rank. */
import type { StepInput } from '../../../core/step.js';
import type { Collectives } from '../../../device/collectives.js';
import { addressOf } from '../../../ffi/memory.js';
import { addReference } from '../../../ops/add/reference.js';
import { embeddingReference } from '../../../ops/embedding/reference.js';
import {
  expertDownReference,
  expertGateUpReference,
  routeReference,
} from '../../../ops/experts/reference.js';
import { gatherReference } from '../../../ops/gather/reference.js';
import { gegluReference } from '../../../ops/geglu/reference.js';
import { headNormReference } from '../../../ops/head-norm/reference.js';
import { linearReference } from '../../../ops/linear/reference.js';
import { zeroMatrix, type Matrix } from '../../../ops/matrix.js';
import type { ReferenceKvCache } from '../../../ops/paged-attention/reference-cache.js';
import { pagedAttentionReference } from '../../../ops/paged-attention/reference.js';
import { addRmsNormReference, rmsNormReference } from '../../../ops/rms-norm/reference.js';
import { ropeAppendReference } from '../../../ops/rope/reference.js';
import { softCapReference } from '../../../ops/soft-cap/reference.js';
import { swigluReference } from '../../../ops/swiglu/reference.js';
import type { OpTable } from '../../../plan/ops/index.js';
import type { BufferName, WeightName } from '../../../plan/plan.js';

/** A step, as every rank sees it. */
export interface ReferenceStep {
  readonly input: StepInput;
  /** [tokens], none of them -1 */
  readonly tokenIds: Int32Array;
  /** Length of the prompt of each row. */
  readonly promptTokens: readonly number[];
}

/** State that an op reads and changes on one rank. */
export interface ReferenceScope {
  readonly step: ReferenceStep;
  readonly cache: ReferenceKvCache;
  readonly collectives: Collectives;
  readonly buffer: (name: BufferName) => Matrix;
  readonly matrix: (name: WeightName) => Matrix;
  readonly vector: (name: WeightName) => Float32Array;
}

/** Each function returns what its op defines; undefined if the op only works in place. */
export const REFERENCE_OPS: OpTable<[at: ReferenceScope], Matrix | undefined> = {
  embedding: (op, at) => embeddingReference(at.matrix(op.table), at.step.tokenIds, op.scale),
  rmsNorm: (op, at) => rmsNormReference(at.buffer(op.x), at.vector(op.weight), op.epsilon),
  addRmsNorm(op, at) {
    const sum = { residual: at.buffer(op.residual), delta: at.buffer(op.delta) };
    return addRmsNormReference(sum, at.vector(op.weight), op.epsilon);
  },
  add(op, at) {
    addReference(at.buffer(op.residual), at.buffer(op.delta));
    return undefined;
  },
  linear(op, at) {
    const bias = op.bias === null ? undefined : at.vector(op.bias);
    return linearReference(at.buffer(op.x), at.matrix(op.weight), bias);
  },
  ropeAppend(op, at) {
    const { input, promptTokens } = at.step;
    ropeAppendReference(at.buffer(op.qkv), input, at.cache, { ...op, promptTokens });
    return undefined;
  },
  pagedAttention: (op, at) => pagedAttentionReference(at.buffer(op.qkv), at.step.input, at.cache, op),
  swiglu: (op, at) => swigluReference(at.buffer(op.gateUp)),
  geglu: (op, at) => gegluReference(at.buffer(op.gateUp)),
  headNorm(op, at) {
    const { headCount, kvHeadCount } = at.cache.dims;
    headNormReference(at.buffer(op.qkv), {
      headCount,
      kvHeadCount,
      queryWeight: at.vector(op.queryWeight),
      keyWeight: at.vector(op.keyWeight),
      epsilon: op.epsilon,
    });
    return undefined;
  },
  routeExperts: (op, at) => routeReference(at.buffer(op.logits), op),
  expertGateUp: (op, at) =>
    expertGateUpReference(at.buffer(op.x), at.buffer(op.routes), at.matrix(op.weight), op.expertCount),
  expertDown: (op, at) =>
    expertDownReference(at.buffer(op.gated), at.buffer(op.routes), at.matrix(op.weight), op.expertCount),
  softCap(op, at) {
    softCapReference(at.buffer(op.x), op.cap);
    return undefined;
  },
  gather(op, at) {
    const { logitTokens, logitCount } = at.step.input;
    return gatherReference(at.buffer(op.x), logitTokens.subarray(0, logitCount));
  },
  allReduce(op, at) {
    const { data } = at.buffer(op.x);
    at.collectives.allReduce(addressOf(data), data.length);
    return undefined;
  },
  allGather(op, at) {
    const { rowCount, columnCount, data } = at.buffer(op.x);
    const out = zeroMatrix(rowCount, op.columns);
    const addresses = { x: addressOf(data), out: addressOf(out.data) };
    at.collectives.allGather({ ...addresses, rowCount, columnCount, outColumnCount: op.columns });
    return out;
  },
};
