import { DEVICE_TRAITS, type DeviceName } from '../core/device.js';
import { AloftError } from '../core/errors.js';
import type { Plan, PlanWeight, WeightPart } from '../plan/plan.js';
import { formatText, hasOrder } from '../plan/weight-format.js';
import type { BuildOptions } from './build-options.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import type { BuildPlans } from './plans.js';
import { hasCodes } from './weight-reader.js';
import { causeOfMissing, causeOfUnused, listedNames, unusedNames } from './tensor-names.js';

const READABLE: readonly (string | undefined)[] = ['f32', 'f16', 'bf16'];

/**
 * Compares names, shapes and types of all tensors that a plan needs with the checkpoint, before any byte is read.
 * @throws {AloftError} TENSOR_MISSING, TENSOR_MISMATCH
 */
export function checkTensors(checkpoint: Checkpoint, plan: Plan): void {
  const { origin, config, tensors } = checkpoint;
  checkNames(checkpoint, plan);
  for (const [weight, { source }] of Object.entries(plan.weights)) {
    const dtypes = new Set(source.parts.map((part) => checkTensor(part)));
    if (dtypes.size > 1)
      throw new AloftError(
        'TENSOR_MISMATCH',
        `${origin}: the tensors of '${weight}' (${source.parts.map(({ tensor }) => tensor).join(', ')}) differ in type: ${[...dtypes].join(', ')}. Save the checkpoint in one type.`,
      );
  }

  function checkTensor({ tensor, shape }: WeightPart): string {
    const info = tensors.info(tensor)!;
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

function neededNames({ weights }: Plan): ReadonlySet<string> {
  return new Set(Object.values(weights).flatMap(({ source }) => source.parts.map(({ tensor }) => tensor)));
}

/** @throws {AloftError} TENSOR_MISSING with all names and the likely cause */
function checkNames({ origin, config, tensors }: Checkpoint, plan: Plan): void {
  const needed = neededNames(plan);
  const missing = [...needed].filter((name) => tensors.info(name) === undefined);
  if (missing.length === 0) return;
  throw new AloftError(
    'TENSOR_MISSING',
    `${origin} lacks ${missing.length} of the ${needed.size} tensors that ${config.architecture} with the sizes of ${config.path} needs: ${listedNames(missing)}. Likely cause: ${causeOfMissing(tensors.names, missing)}.`,
  );
}

/**
 * Checks that a checkpoint's codes can be taken over: that a quantised checkpoint holds codes where its configuration says so, and
 * that ranks cut between groups.
 * @param plans one per rank
 * @throws {AloftError} TENSOR_MISMATCH, SHARDING_IMPOSSIBLE
 */
export function checkCodes(
  { config, tensors }: Checkpoint,
  { ranks, quantisation }: Pick<BuildPlans, 'ranks' | 'quantisation'>,
): void {
  for (const { weights, worldSize } of ranks)
    for (const [name, weight] of Object.entries(weights)) {
      if (weight.format.type === 'dense') continue;
      if (hasCodes(tensors, weight)) checkCuts(name, weight, worldSize);
      else if (quantisation !== null && 'method' in quantisation) refuseNumbers(weight);
    }

  function refuseNumbers({ source, format }: PlanWeight): never {
    const other = source.parts.find(({ tensor }) => tensors.info(tensor)!.format === undefined)!;
    const { file, dtypeName } = tensors.info(other.tensor)!;
    throw new AloftError(
      'TENSOR_MISMATCH',
      `${file}: tensor '${other.tensor}' is ${dtypeName}, but the quantization_config of ${config.path} says that it is ${formatText(format)}. Add its module to 'modules_to_not_convert' ('ignore' of compressed-tensors), or build with --quantization none.`,
    );
  }
}

function checkCuts(name: string, { source, format }: PlanWeight, worldSize: number): void {
  const group = format.type === 'quantised' ? format.group : null;
  for (const { shape, slice } of source.parts) {
    if (slice?.axis !== 1 || group === null) continue;
    if (hasOrder(format))
      throw new AloftError(
        'SHARDING_IMPOSSIBLE',
        `--tp_size ${worldSize} cuts '${name}' by inputs, whose groups lie in act order over all of them. Build for one rank, or with --quantization int8.`,
      );
    if (slice.start % group === 0 && (slice.end % group === 0 || slice.end === shape[1])) continue;
    throw new AloftError(
      'SHARDING_IMPOSSIBLE',
      `--tp_size ${worldSize} cuts '${name}' within the checkpoint's groups of ${group} inputs: a rank has ${slice.end - slice.start} of ${shape[1]}. Build for fewer ranks, or with --quantization int8.`,
    );
  }
}

/** Faults of a checkpoint that a build can go on with, but its user should know. */
export function buildWarnings(
  { config, generation, origin, tokenizerFiles, tensors, warnings: known }: Checkpoint,
  plan: Plan,
  { limits }: BuildOptions,
): string[] {
  const warnings = [...known];
  const unused = unusedNames(tensors.names, neededNames(plan));
  if (unused.length > 0)
    warnings.push(
      `${origin} has ${unused.length} tensors that ${config.architecture} does not use: ${listedNames(unused)}. Likely cause: ${causeOfUnused(unused)}.`,
    );
  const longest = limits.maxInputTokens + limits.maxOutputTokens;
  if (longest > config.maxPositions)
    warnings.push(
      `The engine takes sequences of ${longest} tokens, but the model was trained for ${config.maxPositions} (${config.path}); text beyond may be poor.`,
    );
  const beyond = generation.endIds.filter((id) => id >= config.vocabulary);
  if (beyond.length > 0)
    warnings.push(
      `The end ids of ${origin} (eos_token_id in generation_config.json, or else in config.json) have ${beyond.join(', ')}, but token ids of the model are 0 to ${config.vocabulary - 1}: no output ends with ${beyond.length > 1 ? 'them' : 'it'}.`,
    );
  if (!tokenizerFiles.some((path) => /tokenizer\.(json|model)$/.test(path)))
    warnings.push(
      `No tokenizer.json or tokenizer.model in ${origin}: text needs --tokenizer_dir when the engine runs.`,
    );
  return warnings;
}

/** The range of a cache that is not held in the type that was asked for. */
export function cacheWarnings(device: DeviceName, { kvCache, precision }: BuildOptions): string[] {
  const { bfloat16Cache: held } = DEVICE_TRAITS[device];
  const asked = kvCache === 'auto' ? precision : kvCache;
  if (asked !== 'bfloat16' || held === asked) return [];
  return [
    `A ${device} holds the bfloat16 KV cache as ${held}: as large and more precise, but its values end at 65,504. Build with --kv_cache_dtype float32 if those of the model go beyond.`,
  ];
}
