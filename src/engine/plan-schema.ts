/** Shape of the plan in an engine file: what code that reads it takes for granted before the plan itself is validated. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Plan } from '../plan/plan.js';
import { INT4_GROUPS } from '../plan/weight-format.js';

/** Beyond every model; products of three of them are still exact. */
const Size = Type.Integer({ minimum: 1, maximum: 2 ** 24 });
const Name = Type.String({ minLength: 1, maxLength: 256 });

const Format = Type.Union([
  Type.Object({
    type: Type.Literal('dense'),
    dtype: Type.Union([Type.Literal('f32'), Type.Literal('f16'), Type.Literal('bf16')]),
  }),
  Type.Object({
    type: Type.Literal('quantised'),
    element: Type.Union([Type.Literal('int8'), Type.Literal('fp8')]),
    group: Type.Null(),
    hasZeros: Type.Literal(false),
    scaleDtype: Type.Literal('f32'),
  }),
  Type.Object({
    type: Type.Literal('quantised'),
    element: Type.Literal('int4'),
    group: Type.Union(INT4_GROUPS.map((group) => Type.Literal(group))),
    hasZeros: Type.Boolean(),
    scaleDtype: Type.Literal('f16'),
    hasOrder: Type.Optional(Type.Boolean()),
  }),
]);

/** The dims that kernels index by; others of a newer model are sizes, too. */
const Dims = Type.Object(
  {
    layerCount: Type.Integer({ minimum: 0, maximum: 4096 }),
    hidden: Size,
    headCount: Size,
    kvHeadCount: Size,
    headDim: Size,
    intermediate: Size,
    vocabulary: Size,
    maxPositions: Size,
  },
  { additionalProperties: true },
);

const PLAN = Type.Object({
  architecture: Name,
  activationDtype: Type.Union([Type.Literal('f32'), Type.Literal('f16'), Type.Literal('bf16')]),
  kvDtype: Type.Union(['f32', 'f16', 'bf16', 'i8', 'f8e4m3'].map((dtype) => Type.Literal(dtype))),
  rank: Type.Integer({ minimum: 0, maximum: 4096 }),
  worldSize: Type.Integer({ minimum: 1, maximum: 4096 }),
  dims: Dims,
  // Members of ops are the plan's own business: it infers every shape from them.
  ops: Type.Array(Type.Object({ kind: Name }, { additionalProperties: true }), { maxItems: 100_000 }),
  weights: Type.Record(
    Name,
    Type.Object({ shape: Type.Array(Size, { minItems: 1, maxItems: 4 }), format: Format }),
  ),
  logits: Name,
  results: Type.Optional(Type.Literal('hiddenStates')),
});

/** @param fail called with what is wrong, as a clause; must throw */
export function parsePlan(text: string, fail: (fault: string) => never): Plan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    fail('its plan is not valid JSON');
  }
  if (Value.Check(PLAN, value)) return value as unknown as Plan;
  const [fault] = Value.Errors(PLAN, value);
  return fail(
    `its plan is malformed at '${fault?.instancePath ?? ''}': ${fault?.message ?? 'it is no plan'}`,
  );
}
