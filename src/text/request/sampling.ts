/** Sampling parameters of a request: its own, and the recommendations of the model's publisher for the rest. */
import type { GenerateRequest } from '../../core/generate.js';
import type { BeamParams } from '../../core/request.js';
import {
  byName,
  FILTER_NAMES,
  type FilterName,
  LOWEST_TEMPERATURE,
  SAMPLING_FIELD_NAMES,
  samplingField,
  type SamplingNumbers,
} from '../../core/sampling-fields.js';
import { GREEDY_FILTERS, NEUTRAL, type SamplingParams } from '../../core/sampling.js';
import type { TokenLimits } from '../../core/token-batcher.js';
import type { GenerationDefaults } from '../generation-config.js';
import { checkNumber, refuse } from './ranges.js';

type Filters = Pick<SamplingParams, FilterName>;

/** Parts of the sampling parameters that are made elsewhere. */
export interface SamplingParts {
  readonly seed: bigint;
  readonly badWords: readonly (readonly number[])[];
}

export function resolveSampling(
  request: GenerateRequest,
  defaults: GenerationDefaults,
  parts: SamplingParts,
): SamplingParams {
  const published: Partial<SamplingNumbers> = defaults;
  const chosen = filters(request, defaults);
  return {
    ...byName(SAMPLING_FIELD_NAMES, (name) => request[name] ?? published[name] ?? NEUTRAL[name]),
    ...chosen,
    temperature: chosen.temperature < LOWEST_TEMPERATURE ? 0 : chosen.temperature,
    logitBias: new Map(Object.entries(request.logitBias ?? {}).map(([id, bias]) => [Number(id), bias])),
    badWords: [...(request.badTokenLists ?? []), ...parts.badWords],
    seed: parts.seed,
    logprobs: request.logprobs,
    promptLogprobs: request.promptLogprobs,
  };
}

/**
 * A request that says anything about sampling gets exactly that and nothing else: a temperature alone samples from the full
 * distribution. A request that says nothing gets the publisher's defaults if these sample, else greedy search.
 */
function filters(request: GenerateRequest, defaults: GenerationDefaults): Filters {
  if (request.beam) return GREEDY_FILTERS;
  if (FILTER_NAMES.some((name) => request[name] !== undefined))
    return byName(FILTER_NAMES, (name) => request[name] ?? NEUTRAL[name]);
  return defaults.doSample ? byName(FILTER_NAMES, (name) => defaults[name]) : GREEDY_FILTERS;
}

/** Beam search as asked for; a width of 1 is greedy search. @throws {AloftError} REQUEST_INVALID for contradictions. */
export function resolveBeam(request: GenerateRequest, limits: TokenLimits): BeamParams | undefined {
  const { beam } = request;
  if (!beam) return undefined;
  checkNumber('beam.width', beam.width, { isInteger: true, min: 1 });
  checkNumber('beam.lengthPenalty', beam.lengthPenalty, { min: -100, max: 100 });
  if (beam.width > limits.maxBeamWidth)
    throw refuse(
      `beam.width is ${beam.width}, but this engine searches at most ${limits.maxBeamWidth} beams (max_beam_width); ask for less or build it with more.`,
    );
  refuseSamplingWithBeam(request);
  if (beam.width > 1 && request.returnGenerationLogits)
    throw refuse(
      'returnGenerationLogits is not supported with beams, whose logits are not kept; leave one of them out.',
    );
  if ((request.sequenceCount ?? 1) > beam.width)
    throw refuse(
      `sequenceCount is ${request.sequenceCount}, but beam.width is ${beam.width}; a search returns at most its beams.`,
    );
  return beam.width === 1 ? undefined : beam;
}

/** Values that switch a filter off do not contradict a beam search; clients send them unasked. */
function refuseSamplingWithBeam(request: GenerateRequest): void {
  const { bestOf, sequenceCount = 1 } = request;
  const samples = FILTER_NAMES.filter((name) => {
    const { neutral, greedy } = samplingField(name);
    return request[name] !== undefined && request[name] !== neutral && request[name] !== greedy;
  });
  const fields = [...samples, ...(bestOf !== undefined && bestOf !== sequenceCount ? ['bestOf'] : [])];
  if (fields.length === 0) return;
  throw refuse(
    `beam and ${fields.join(', ')} contradict each other: beam search does not sample; remove one.`,
  );
}
