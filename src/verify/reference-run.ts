/** A checkpoint in f32, by the scalar references: logits of all tokens, and hidden states after every layer, seen through the head. */
import { setImmediate } from 'node:timers/promises';
import type { Checkpoint } from '../builder/checkpoint/checkpoint.js';
import { floatValues } from '../builder/float-values.js';
import { useWeight } from '../builder/weight-reader.js';
import { buildStep } from '../core/build-step.js';
import { invariant } from '../core/errors.js';
import { elementCount } from '../core/dtype.js';
import type { Matrix } from '../ops/matrix.js';
import { ReferenceKvCache } from '../ops/paged-attention/reference-cache.js';
import { planLayers } from '../plan/first-layers.js';
import { outputOf } from '../plan/operands.js';
import { dispatch } from '../plan/ops/index.js';
import type { Plan, PlanOp } from '../plan/plan.js';
import { LockstepCollectives } from '../run/executor/reference/lockstep-collectives.js';
import {
  REFERENCE_OPS,
  type ReferenceScope,
  type ReferenceStep,
} from '../run/executor/reference/reference-ops.js';

export interface ReferenceResult {
  /** By layer: [probes, vocabulary] logits of the hidden states after it. */
  readonly layers: readonly Matrix[];
  /** [tokens, vocabulary] */
  readonly logits: Matrix;
}

export interface ReferenceRun {
  /** The plan before any pass, for one rank. */
  readonly plan: Plan;
  readonly checkpoint: Checkpoint;
  readonly tokenIds: readonly number[];
  /** Indexes of the tokens whose hidden states are looked at, ascending. */
  readonly probes: readonly number[];
  /** Called after each layer; what it throws ends the run. */
  readonly onLayer: (layer: number) => void;
}

export async function runReference(run: ReferenceRun): Promise<ReferenceResult> {
  const { plan, tokenIds, probes, onLayer } = run;
  const { ends, tail } = planLayers(plan);
  const model = new ReferenceModel(run);
  const layers: Matrix[] = [];
  for (const [index, op] of plan.ops.slice(0, ends.at(-1)).entries()) {
    model.compute(op, model.stepFor(probes));
    if (index + 1 === ends[layers.length]) {
      layers.push(model.throughHead(tail, probes));
      onLayer(layers.length - 1);
    }
    await setImmediate(); // signals are heard
  }
  return { layers, logits: model.throughHead(tail, [...tokenIds.keys()]) };
}

class ReferenceModel {
  readonly #run: ReferenceRun;
  readonly #cache: ReferenceKvCache;
  readonly #buffers = new Map<string, Matrix>();
  /** Weights of the tail, which every layer's hidden states go through. */
  readonly #kept = new Map<string, Matrix>();

  constructor(run: ReferenceRun) {
    this.#run = run;
    const paging = { blockCount: 1, blockTokens: run.tokenIds.length, dtype: 'f32' } as const;
    this.#cache = new ReferenceKvCache(run.plan.dims, paging);
  }

  /** One step with all tokens as a prompt, of which some give logits. */
  stepFor(logitTokens: readonly number[]): ReferenceStep {
    const { tokenIds } = this.#run;
    const wanted = logitTokens.map((index) => ({ index, target: 0 }));
    const input = buildStep([{ slot: 0, tokenIds, firstPosition: 0, blocks: [0], wanted }]);
    return { input, tokenIds: input.tokenIds, promptTokens: [tokenIds.length] };
  }

  /** [logitTokens, vocabulary] logits of the hidden states as they are now. Ops of a tail change no buffer of the layers. */
  throughHead(tail: readonly PlanOp[], logitTokens: readonly number[]): Matrix {
    const step = this.stepFor(logitTokens);
    for (const op of tail) this.compute(op, step, this.#kept);
    return this.#buffers.get(this.#run.plan.logits)!;
  }

  compute(op: PlanOp, step: ReferenceStep, kept?: Map<string, Matrix>): void {
    const matrix = (name: string): Matrix => {
      const value = kept?.get(name) ?? this.#matrix(name);
      kept?.set(name, value);
      return value;
    };
    const scope: ReferenceScope = {
      step,
      cache: this.#cache,
      collectives: new LockstepCollectives(1),
      buffer: (name) => this.#buffers.get(name)!,
      matrix,
      vector: (name) => this.#weight(name),
    };
    const result = dispatch(REFERENCE_OPS, op, scope);
    if (result !== undefined) this.#buffers.set(outputOf(op)!, result);
  }

  #matrix(name: string): Matrix {
    const [rowCount, columnCount] = this.#run.plan.weights[name]!.shape as readonly [number, number];
    return { rowCount, columnCount, data: this.#weight(name) };
  }

  /** Values with the zeros of a padded vocabulary. */
  #weight(name: string): Float32Array {
    const weight = this.#run.plan.weights[name]!;
    const values = useWeight(this.#run.checkpoint.tensors, weight, (data) => {
      invariant(data.kind === 'dense', () => `'${name}' of a plan in float32 has codes`);
      return floatValues(data.tensor);
    });
    const count = elementCount(weight.shape);
    if (values.length === count) return values;
    const padded = new Float32Array(count);
    padded.set(values);
    return padded;
  }
}
