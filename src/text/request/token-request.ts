/** GenerateRequest -> TokenRequest: all checks and defaults of a text request, as a pure function. */
import type { TokenConstraint } from '../../core/constraint.js';
import type { TokenCourse } from '../../core/course.js';
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { requireWithin } from '../../core/request-limits.js';
import type { RequestId } from '../../core/ids.js';
import type { TokenRequest } from '../../core/request.js';
import type { TokenLimits } from '../../core/token-batcher.js';
import type { GenerationDefaults } from '../generation-config.js';
import { fitOutput, fitPrompt } from './lengths.js';
import { checkFields, refuse } from './ranges.js';
import { resolveBeam, resolveSampling } from './sampling.js';

/** Results of the text layer that come before: the tokens of the request's texts, and its names. */
export interface EncodedRequest {
  readonly id: RequestId;
  readonly promptTokenIds: readonly number[];
  /** Token lists of `badWords`. */
  readonly badWords: readonly (readonly number[])[];
  /** Used when the request has no seed. */
  readonly randomSeed: bigint;
  /** The request's constraint, compiled. */
  readonly constraint?: TokenConstraint | undefined;
  readonly course?: TokenCourse | undefined;
}

/** Limits and recommendations of the engine. */
export interface EngineRules {
  readonly limits: TokenLimits;
  readonly defaults: GenerationDefaults;
}

/**
 * @throws {AloftError} REQUEST_INVALID for a field out of range or a contradiction, PROMPT_TOO_LONG and REQUEST_TOO_LARGE for
 * lengths beyond the engine's limits; the sentence has the figures and names the setting.
 */
export function toTokenRequest(
  request: GenerateRequest,
  encoded: EncodedRequest,
  rules: EngineRules,
): TokenRequest {
  const { limits, defaults } = rules;
  checkFields(request, limits);
  checkContradictions(request);
  const beam = resolveBeam(request, limits);
  const sequenceCount = request.sequenceCount ?? 1;
  const bestOf = request.bestOf ?? sequenceCount;
  checkSequenceCount(Math.max(bestOf, sequenceCount), limits);
  const promptTokenIds = fitPrompt(encoded.promptTokenIds, request, limits);
  const maxOutputTokens = fitOutput(promptTokenIds.length, request, limits);
  checkMinTokens(request, maxOutputTokens);
  checkLogits(request, promptTokenIds.length, maxOutputTokens * Math.max(bestOf, sequenceCount), limits);
  const seed = request.seed ?? encoded.randomSeed;
  return {
    id: encoded.id,
    promptTokenIds,
    maxOutputTokens,
    sampling: resolveSampling(request, defaults, { seed, badWords: encoded.badWords }),
    beam,
    sequenceCount,
    bestOf,
    endIds: endIds(request, rules),
    stopTokenLists: request.stopTokenLists ?? [],
    priority: request.priority ?? 0,
    queueTimeoutMs: request.queueTimeoutMs,
    deadlineMs: request.deadlineMs,
    cacheSalt: request.cacheSalt,
    returnContextLogits: request.returnContextLogits ?? false,
    returnGenerationLogits: request.returnGenerationLogits ?? false,
    constraint: encoded.constraint,
    course: encoded.course,
  };
}

function checkContradictions(request: GenerateRequest): void {
  const { bestOf, sequenceCount = 1, ignoreEos, endIds, constraint, course } = request;
  if (bestOf !== undefined && bestOf < sequenceCount)
    throw refuse(
      `bestOf is ${bestOf}, but sequenceCount is ${sequenceCount}; sample at least as many as to return.`,
    );
  if (constraint !== undefined && course !== undefined)
    throw refuse('constraint and course contradict each other; put the constraint into the course.');
  if (ignoreEos && endIds && endIds.length > 0)
    throw refuse('ignoreEos and endIds contradict each other; remove one.');
}

function checkSequenceCount(count: number, { maxSequenceCount }: TokenLimits): void {
  if (count <= maxSequenceCount) return;
  throw new AloftError(
    'REQUEST_TOO_LARGE',
    `The request asks for ${count} sequences at once, but this engine runs at most ${maxSequenceCount} (max_batch_size); ask for fewer.`,
  );
}

function checkMinTokens({ minTokens = 0 }: GenerateRequest, maxOutputTokens: number): void {
  if (minTokens <= maxOutputTokens) return;
  throw refuse(
    `minTokens is ${minTokens}, but at most ${maxOutputTokens} tokens can be generated; lower it.`,
  );
}

function checkLogits(
  { returnContextLogits, returnGenerationLogits, embedding }: GenerateRequest,
  promptTokens: number,
  outputTokens: number,
  { vocabulary }: TokenLimits,
): void {
  if (embedding !== undefined) return; // hidden states, which do not leave the text layer
  const rows = (returnContextLogits ? promptTokens : 0) + (returnGenerationLogits ? outputTokens : 0);
  requireWithin('logits', rows * vocabulary, 'The answer');
}

/** Defaults may name ids that only the tokenizer has; the model can never generate these. */
function endIds(request: GenerateRequest, { limits, defaults }: EngineRules): readonly number[] {
  if (request.ignoreEos) return [];
  return request.endIds ?? defaults.endIds.filter((id) => id >= 0 && id < limits.vocabulary);
}
