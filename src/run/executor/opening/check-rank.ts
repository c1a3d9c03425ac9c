/** Checks of a rank's file beyond its checksums, which anybody can compute: what its plan and its tensors say of each other. */
import { AloftError } from '../../../core/errors.js';
import type { PackedTensorSpec, StoredLayout } from '../../../device/weight-layout.js';
import { TENSOR_ALIGNMENT_BYTES } from '../../../engine/format.js';
import type { EngineRank } from '../../../engine/rank-file-reader.js';
import { definitionOf, OP_KINDS } from '../../../plan/ops/index.js';
import type { Plan } from '../../../plan/plan.js';
import { validatePlan, weightRoles } from '../../../plan/validate.js';

/** @throws {AloftError} ENGINE_CORRUPT unless the plan is valid and every weight is stored as the device's kernels read it */
export function checkRank(rank: EngineRank, layout: Pick<StoredLayout, 'specs'>): void {
  const fail = (fault: string): never => {
    throw new AloftError(
      'ENGINE_CORRUPT',
      `The engine in ${rank.directory} is not what its plan says: ${fault}. Build the engine again.`,
    );
  };
  const { plan } = rank;
  try {
    checkOps(plan, fail);
    checkTables(plan, fail);
    for (const [name, use] of weightRoles(plan)) {
      const weight = plan.weights[name] ?? fail(`weight '${name}' is not in the plan`);
      for (const spec of layout.specs(name, weight, use)) checkTensor(rank, spec, fail);
    }
  } catch (cause) {
    if (cause instanceof AloftError && cause.code === 'ENGINE_CORRUPT') throw cause;
    // Faults that the plan finds in itself are faults of the file here.
    fail(cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause));
  }
}

type Fail = (fault: string) => never;

/** Kinds and layers first: everything else looks them up. */
function checkOps(plan: Plan, fail: Fail): void {
  for (const [index, op] of plan.ops.entries()) {
    if (!Object.hasOwn(OP_KINDS, op.kind)) fail(`op ${index} is of the unknown kind '${op.kind}'`);
    const layer = definitionOf(op).cache?.(op).layer ?? 0;
    if (!Number.isInteger(layer)) fail(`op ${index} names layer ${layer}`);
  }
  const { values } = validatePlan(plan);
  for (const { buffer, columns } of values)
    if (!Number.isSafeInteger(columns) || columns < 1) fail(`buffer '${buffer}' has ${columns} columns`);
}

/** Every id of the vocabulary is a row of a table. */
function checkTables({ ops, weights, dims }: Plan, fail: Fail): void {
  for (const op of ops) {
    if (op.kind !== 'embedding') continue;
    const rows = weights[op.table]?.shape[0] ?? 0;
    if (rows < dims.vocabulary)
      fail(`table '${op.table}' has ${rows} rows for a vocabulary of ${dims.vocabulary}`);
  }
}

function checkTensor(rank: EngineRank, spec: PackedTensorSpec, fail: Fail): void {
  const { name, dtype, shape } = spec;
  if (!rank.has(name)) fail(`it has no tensor '${name}'`);
  const tensor = rank.tensor(name);
  const hasShape =
    tensor.shape.length === shape.length && shape.every((size, axis) => size === tensor.shape[axis]);
  if (tensor.dtype !== dtype || !hasShape) {
    const text = (stored: Pick<PackedTensorSpec, 'dtype' | 'shape'>) =>
      `${stored.dtype} [${stored.shape.join(', ')}]`;
    fail(`tensor '${name}' is ${text(tensor)}, and its plan needs ${text(spec)}`);
  }
  if (tensor.address % TENSOR_ALIGNMENT_BYTES !== 0)
    fail(`tensor '${name}' does not begin at a multiple of ${TENSOR_ALIGNMENT_BYTES} bytes`);
}
