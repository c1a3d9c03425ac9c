import type { Plan, PlanOp, PlanWeight } from '../plan.js';

/** A small valid plan with one layer and every op that one rank uses: for tests of passes and planners. */
export function buildTestPlan(): Plan {
  const weights: Record<string, PlanWeight> = {};
  const weight = (name: string, ...shape: number[]): string => {
    const source = { parts: [{ tensor: name, shape, slice: null }] };
    weights[name] = { shape, format: { type: 'dense', dtype: 'f16' }, source };
    return name;
  };
  const linear = (
    name: string,
    x: string,
    out: string,
    [outputs, inputs]: readonly [number, number],
  ): PlanOp => ({
    kind: 'linear',
    x,
    weight: weight(name, outputs, inputs),
    bias: null,
    out,
    outDtype: out === 'logits' ? 'f32' : 'activation',
  });
  const epsilon = 1e-5;
  const ops: PlanOp[] = [
    { kind: 'embedding', table: weight('table', 30, 12), out: 'hidden' },
    { kind: 'rmsNorm', x: 'hidden', weight: weight('norm.0', 12), epsilon, out: 'normed' },
    linear('qkv', 'normed', 'qkv', [16, 12]),
    { kind: 'ropeAppend', qkv: 'qkv', layer: 0, rope: { theta: 10_000, scaling: { type: 'none' } } },
    { kind: 'pagedAttention', qkv: 'qkv', layer: 0, out: 'attended' },
    linear('dense', 'attended', 'delta', [12, 8]),
    {
      kind: 'addRmsNorm',
      residual: 'hidden',
      delta: 'delta',
      weight: weight('norm.1', 12),
      epsilon,
      out: 'normed',
    },
    linear('gateUp', 'normed', 'gateUp', [20, 12]),
    { kind: 'swiglu', gateUp: 'gateUp', out: 'gated' },
    linear('down', 'gated', 'delta', [12, 10]),
    { kind: 'add', residual: 'hidden', delta: 'delta' },
    { kind: 'gather', x: 'hidden', out: 'last' },
    linear('head', 'last', 'logits', [30, 12]),
  ];
  return {
    architecture: 'test',
    activationDtype: 'f16',
    kvDtype: 'f16',
    rank: 0,
    worldSize: 1,
    dims: {
      layerCount: 1,
      hidden: 12,
      headCount: 4,
      kvHeadCount: 2,
      headDim: 2,
      intermediate: 10,
      vocabulary: 30,
      maxPositions: 64,
    },
    ops,
    weights,
    logits: 'logits',
  };
}
