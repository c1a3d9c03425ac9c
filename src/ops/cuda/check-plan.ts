/** Check for what the CUDA kernels cannot run, made before anything is compiled or loaded. */
import { AloftError } from '../../core/errors.js';
import { MAX_EXPERTS, MAX_EXPERTS_PER_TOKEN } from '../experts/cuda.js';
import { scoresOf } from '../paged-attention/cuda-defines.js';
import { dependsOnPrompt, uniformPromptTokens } from '../rope/rotation.js';
import type { Plan } from '../../plan/plan.js';

/** @param maxPromptTokens longest prompt that the engine takes @throws {AloftError} UNSUPPORTED naming what the kernels cannot do */
export function checkCudaPlan(plan: Plan, maxPromptTokens: number): void {
  const { headDim, hidden, intermediate } = plan.dims;
  const fail = (why: string): never => {
    throw new AloftError('UNSUPPORTED', `The CUDA device cannot run this model: ${why}.`);
  };
  if (plan.activationDtype === 'f32') fail('it computes in 16 bits; build with --dtype float16 or bfloat16');
  if (headDim % 16 !== 0 || headDim > 256) fail(`head size ${headDim} is not a multiple of 16 up to 256`);
  for (const size of [hidden, intermediate])
    if (size % 8 !== 0) fail(`layer size ${size} is not a multiple of 8`);
  const uniform = uniformPromptTokens(plan) ?? Infinity;
  // Its kernels share one table of rotations; tokens of longer prompts are rotated by the prompt's length.
  if (maxPromptTokens > uniform)
    fail(
      `its rotary scaling '${scalingOf(plan)}' depends on the length of prompts over ${uniform} tokens; build with --max_input_len ${uniform} or less, or with --device cpu`,
    );
  checkExperts(plan, fail);
  if (new Set(scoresOf(plan.ops).softCaps).size > 1) fail('its layers have different soft caps');
}

function checkExperts({ ops, weights }: Plan, fail: (why: string) => never): void {
  for (const op of ops) {
    if (op.kind === 'routeExperts' && op.expertsPerToken > MAX_EXPERTS_PER_TOKEN)
      fail(`${op.expertsPerToken} experts a token are more than ${MAX_EXPERTS_PER_TOKEN}`);
    if (op.kind !== 'expertDown') continue;
    if (op.expertCount > MAX_EXPERTS) fail(`${op.expertCount} experts are more than ${MAX_EXPERTS}`);
    const inter = weights[op.weight]!.shape[1]!;
    if (inter % 8 !== 0) fail(`${inter} columns of experts are no multiple of 8`);
  }
}

/** Kinds of scalings that depend on the length of prompts. */
function scalingOf({ ops }: Plan): string {
  const ropes = ops.flatMap((op) =>
    op.kind === 'ropeAppend' && dependsOnPrompt(op.rope, Infinity) ? [op.rope] : [],
  );
  return [...new Set(ropes.map(({ scaling }) => scaling.type))].join();
}
