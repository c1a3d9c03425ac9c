import { AloftError } from '../core/errors.js';
import type { Plan, WeightPart } from '../plan/plan.js';
import type { BuildOptions } from './build-options.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';

const READABLE: readonly (string | undefined)[] = ['f32', 'f16', 'bf16'];

/**
 * Compares names, shapes and types of all tensors that a plan needs with the checkpoint, before any byte is read.
 * @throws {AloftError} TENSOR_MISSING, TENSOR_MISMATCH
 */
export function checkTensors({ origin, config, tensors }: Checkpoint, plan: Plan): void {
  for (const [weight, { source }] of Object.entries(plan.weights)) {
    const dtypes = new Set(source.parts.map((part) => checkTensor(part)));
    if (dtypes.size > 1)
      throw new AloftError(
        'TENSOR_MISMATCH',
        `${origin}: the tensors of '${weight}' (${source.parts.map(({ tensor }) => tensor).join(', ')}) differ in type: ${[...dtypes].join(', ')}. Save the checkpoint in one type.`,
      );
  }

  function checkTensor({ tensor, shape }: WeightPart): string {
    const info = tensors.info(tensor);
    if (info === undefined)
      throw new AloftError(
        'TENSOR_MISSING',
        `${origin} has no tensor '${tensor}', which ${config.architecture} with the sizes of ${config.path} needs. Check config.json, or download the checkpoint again.`,
      );
    if (info.dtype === undefined || !READABLE.includes(info.dtype))
      throw new AloftError(
        'TENSOR_MISMATCH',
        `${info.file}: tensor '${tensor}' has the type ${info.dtypeName}; weights must be float32, float16 or bfloat16. Convert the checkpoint.`,
      );
    if (info.shape.join() !== shape.join())
      throw new AloftError(
        'TENSOR_MISMATCH',
        `${info.file}: tensor '${tensor}' has the shape [${info.shape.join(', ')}], but ${config.path} asks for [${shape.join(', ')}]. Correct config.json, or take the checkpoint that belongs to it.`,
      );
    return info.dtype;
  }
}

/** Faults of a checkpoint that a build can go on with, but its user should know. */
export function buildWarnings(
  { config, origin, tokenizerFiles, warnings: known }: Checkpoint,
  { limits }: BuildOptions,
): string[] {
  const warnings = [...known];
  const longest = limits.maxInputTokens + limits.maxOutputTokens;
  if (longest > config.maxPositions)
    warnings.push(
      `The engine takes sequences of ${longest} tokens, but the model was trained for ${config.maxPositions} (${config.path}); text beyond may be poor.`,
    );
  if (!tokenizerFiles.some((path) => /tokenizer\.(json|model)$/.test(path)))
    warnings.push(
      `No tokenizer.json or tokenizer.model in ${origin}: text needs --tokenizer_dir when the engine runs.`,
    );
  return warnings;
}
