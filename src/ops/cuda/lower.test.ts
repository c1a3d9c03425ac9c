import { describe, expect, it } from 'vitest';
import { namedShape } from '../../builder/random-weights/shapes.js';
import { benchmarkPlan } from '../../builder/testing/benchmark-plans.js';
import { inferPlan } from '../../plan/infer.js';
import type { Plan, PlanOp } from '../../plan/plan.js';
import { kernelLifetimes, lowerForCuda, planOpCount } from './lower.js';

const shape = { ...namedShape('tinyllama_1b'), num_hidden_layers: 2 };
const PLAN = benchmarkPlan({ shape, dtype: 'f16', weights: 'int8' });

const withOps = (change: (ops: PlanOp[]) => PlanOp[]): Plan => ({ ...PLAN, ops: change([...PLAN.ops]) });
const indexOf = (kind: PlanOp['kind']): number => PLAN.ops.findIndex((op) => op.kind === kind);

describe('lowering for a GPU', () => {
  it('makes one op of what one kernel can compute, and ends with sampling', () => {
    const { ops } = lowerForCuda(PLAN);
    const layer = ['linear', 'attention', 'linear', 'addRmsNorm', 'linear', 'linear'];
    expect(ops.map(({ kind }) => kind)).toEqual([
      ...['embedding', 'rmsNorm', ...layer, 'addRmsNorm', ...layer],
      ...['add', 'gather', 'rmsNorm', 'linear', 'sample'],
    ]);
    expect(ops.flatMap((op) => (op.kind === 'linear' && op.gate ? [op.weight] : []))).toEqual([
      ...['layers.0.mlp.fc_gate.weight', 'layers.1.mlp.fc_gate.weight'],
    ]);
  });

  it('covers every op of the plan once, in order', () => {
    const { ops } = lowerForCuda(PLAN);
    let next = 0;
    for (const op of ops) {
      expect(op.index).toBe(next);
      next += planOpCount(op);
    }
    expect(next).toBe(PLAN.ops.length + 1);
  });

  it('finds the norms that linear layers can do, and no other', () => {
    const { ops } = lowerForCuda(PLAN);
    const norms = ops.flatMap((op) => (op.kind === 'addRmsNorm' || op.kind === 'rmsNorm' ? [op] : []));
    // The first and the last have no addend.
    expect(norms.map(({ between }) => between !== undefined)).toEqual([false, true, true, true, false]);
    for (const [index, op] of ops.entries()) {
      if (op.kind !== 'addRmsNorm') continue;
      const [before, after] = [ops[index - 1]!, ops[index + 1]!];
      expect(before).toMatchObject({ kind: 'linear', normAfter: op.between });
      expect(after).toMatchObject({ kind: 'linear', normBefore: op.between });
      expect(op.between!.norm.out).toBe(op.out);
    }
    // A sum over ranks is in between.
    const ranks = { rank: 0, worldSize: 2 };
    const sharded = lowerForCuda(benchmarkPlan({ shape, dtype: 'f16', weights: 'int8', ranks }));
    expect(sharded.ops.some((op) => op.kind === 'linear' && (op.normAfter ?? op.normBefore))).toBe(false);
  });

  it('leaves a norm by itself whose result or addend another op takes, too', () => {
    const at = indexOf('addRmsNorm');
    const norm = PLAN.ops[at] as Extract<PlanOp, { kind: 'addRmsNorm' }>;
    for (const name of [norm.out, norm.delta]) {
      const twin = { ...PLAN.ops[at + 1]!, x: name, out: 'other' } as PlanOp;
      const { ops } = lowerForCuda(withOps((all) => all.toSpliced(at + 2, 0, twin)));
      expect(ops.find(({ index }) => index === at)).toMatchObject({ between: undefined });
    }
  });

  it('leaves SwiGLU by itself where its input does not come from the linear before it', () => {
    const at = indexOf('swiglu');
    const plan = withOps((ops) => {
      const twin = { ...ops[at - 1]!, out: 'other' } as PlanOp;
      return ops.toSpliced(at, 0, twin);
    });
    const kinds = lowerForCuda(plan)
      .ops.slice(at - 1)
      .map(({ kind }) => kind);
    expect(kinds).toContain('swiglu');
  });

  it('joins a sum over ranks with the norm that takes it, and leaves the last one by itself', () => {
    const ranks = { rank: 1, worldSize: 2 };
    const { ops } = lowerForCuda(benchmarkPlan({ shape, dtype: 'f16', weights: 'int8', ranks }));
    const layer = ['linear', 'attention', 'linear', 'reduceNorm', 'linear', 'linear'];
    expect(ops.map(({ kind }) => kind)).toEqual([
      ...['embedding', 'rmsNorm', ...layer, 'reduceNorm', ...layer],
      ...['allReduce', 'add', 'gather', 'rmsNorm', 'linear', 'allGather', 'sample'],
    ]);
    const delta = ops.find((op) => op.kind === 'reduceNorm')!;
    expect([delta.x, planOpCount(delta)]).toEqual([delta.norm.delta, 2]);
  });

  it('refuses attention without its append', () => {
    const append = indexOf('ropeAppend');
    expect(() => lowerForCuda(withOps((ops) => ops.toSpliced(append, 1)))).toThrow(/does not follow/);
    expect(() => lowerForCuda(withOps((ops) => ops.toSpliced(append, 0, ops[append]!)))).toThrow(
      /ropeAppend\) is not followed/,
    );
  });
});

describe('lifetimes of values', () => {
  it('begin where the kernel begins that defines them', () => {
    const lowered = lowerForCuda(PLAN);
    const lives = kernelLifetimes(lowered);
    const definedAt = (index: number): number => {
      const op = PLAN.ops[index]!;
      return lives.get(lowered.inferred.operands[index]!.get('out' in op ? op.out : '')!)!.definedAt;
    };
    // A layer may store the result of the norm after it.
    expect(definedAt(indexOf('addRmsNorm'))).toBe(indexOf('addRmsNorm') - 1);
    // SwiGLU's result is written while gate-up still reads its input, and attention's while queries are rotated.
    for (const kind of ['swiglu', 'pagedAttention'] as const)
      expect(definedAt(indexOf(kind))).toBe(indexOf(kind) - 1);
    for (const kind of ['rmsNorm', 'linear', 'gather'] as const)
      expect(definedAt(indexOf(kind))).toBe(indexOf(kind));
    const { values } = inferPlan(PLAN);
    expect([...lives.values()].map(({ lastUsedAt }) => lastUsedAt)).toEqual(
      values.map(({ lastUsedAt }) => lastUsedAt),
    );
  });
});
