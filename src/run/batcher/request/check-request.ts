import { AloftError } from '../../../core/errors.js';
import type { BeamParams, TokenRequest } from '../../../core/request.js';
import { listNumberCount } from '../../../core/sampling.js';
import type { TokenLimits } from '../../../core/token-batcher.js';
import { beamCandidateCount } from './beam-search.js';

/** Limits that decide whether a request can ever run. */
export interface Capacity {
  readonly limits: TokenLimits;
  readonly blockTokens: number;
  readonly blockCount: number;
}

/** @throws {AloftError} REQUEST_INVALID, PROMPT_TOO_LONG, REQUEST_TOO_LARGE */
export function checkRequest(request: TokenRequest, capacity: Capacity): void {
  checkCounts(request, capacity.limits);
  checkTokens(request, capacity.limits);
  checkLists(request, capacity.limits);
  checkConstraint(request, capacity.limits);
  checkLengths(request, capacity.limits);
  if (request.beam !== undefined) checkBeams(request, request.beam, capacity.limits);
  checkBlocks(request, capacity);
}

/** Sequences that a request runs at the same time. */
export function requestWidth(request: TokenRequest): number {
  return request.beam?.width ?? request.bestOf;
}

function refuse(isRefused: boolean, message: () => string): void {
  if (isRefused) throw new AloftError('REQUEST_INVALID', message());
}

function checkCounts({ beam, sequenceCount, bestOf, sampling }: TokenRequest, limits: TokenLimits): void {
  const range = (name: string, value: number, min: number, max: number) =>
    refuse(
      !Number.isInteger(value) || value < min || value > max,
      () => `${name} is ${value}, but this engine takes ${min} to ${max}.`,
    );
  range('sequenceCount', sequenceCount, 1, limits.maxSequenceCount);
  range('bestOf', bestOf, 1, limits.maxSequenceCount);
  if (beam !== undefined) range('beam.width', beam.width, 1, limits.maxBeamWidth);
  const candidateCount = beam?.width ?? bestOf;
  refuse(
    sequenceCount > candidateCount,
    () => `sequenceCount ${sequenceCount} is larger than the ${candidateCount} sequences to choose from.`,
  );
  range('logprobs', sampling.logprobs ?? 0, 0, limits.maxTopLogprobs);
  range('promptLogprobs', sampling.promptLogprobs ?? 0, 0, limits.maxTopLogprobs);
}

/** A device may have fixed room for the lists of a sequence. */
function checkLists({ sampling, endIds }: TokenRequest, { maxListNumbers = Infinity }: TokenLimits): void {
  const count = listNumberCount(sampling, endIds);
  refuse(
    count > maxListNumbers,
    () =>
      `Logit biases, bad words and end ids take ${count} numbers on the device, and ${maxListNumbers} fit; use fewer.`,
  );
}

/** A search compares whole sequences, so each must be able to end. */
function checkConstraint(
  { constraint, course, beam, endIds }: TokenRequest,
  { vocabulary }: TokenLimits,
): void {
  const tokens = (course ?? constraint)?.tokens;
  if (tokens === undefined) return;
  refuse(
    tokens.vocabulary !== vocabulary,
    () =>
      `The constraint is for a vocabulary of ${tokens.vocabulary} tokens, and this engine has ${vocabulary}.`,
  );
  refuse(
    beam !== undefined && endIds.length === 0,
    () => 'Beams under a constraint need an end id, because they end where an answer is complete; name one.',
  );
}

function checkTokens(request: TokenRequest, { vocabulary }: TokenLimits): void {
  const { promptTokenIds } = request;
  refuse(promptTokenIds.length === 0, () => 'The prompt has no tokens; a sequence starts from at least one.');
  const position = promptTokenIds.findIndex((id) => id < 0 || id >= vocabulary);
  refuse(
    position >= 0,
    () => `Prompt token ${position} is ${promptTokenIds[position]}, outside the vocabulary of ${vocabulary}.`,
  );
}

function checkLengths({ promptTokenIds, maxOutputTokens }: TokenRequest, limits: TokenLimits): void {
  refuse(
    !Number.isInteger(maxOutputTokens) || maxOutputTokens < 1,
    () => `maxOutputTokens is ${maxOutputTokens}, but at least 1 token must be asked for.`,
  );
  const promptCount = promptTokenIds.length;
  const tooLong = (
    what: string,
    count: number,
    limit: number,
    code: 'PROMPT_TOO_LONG' | 'REQUEST_TOO_LARGE',
  ) => {
    if (count <= limit) return;
    throw new AloftError(code, `${what} ${count} tokens, ${count - limit} more than the limit of ${limit}.`);
  };
  tooLong('The prompt has', promptCount, limits.maxInputTokens, 'PROMPT_TOO_LONG');
  tooLong('The request asks for', maxOutputTokens, limits.maxOutputTokens, 'REQUEST_TOO_LARGE');
  const total = promptCount + maxOutputTokens;
  tooLong('Prompt and output together have', total, limits.maxSequenceTokens, 'REQUEST_TOO_LARGE');
}

/** At every step each beam must find as many tokens to go on with as there are beams. */
function checkBeams(request: TokenRequest, beam: BeamParams, limits: TokenLimits): void {
  const { sampling, endIds, stopTokenLists } = request;
  const { width } = beam;
  const { vocabulary, maxBeamCandidates = Infinity } = limits;
  const candidateCount = beamCandidateCount(request, beam);
  refuse(
    candidateCount > maxBeamCandidates,
    () =>
      `${width} beams beside ${endIds.length + stopTokenLists.length} tokens and lists that end them need ${candidateCount} candidates, ` +
      `and this engine's device reports ${maxBeamCandidates}; ask for fewer beams or stop lists.`,
  );
  const lastIds = [...stopTokenLists, ...sampling.badWords].map((list) => list.at(-1));
  const biasedOut = [...sampling.logitBias].filter(([, bias]) => bias === -Infinity).map(([id]) => id);
  const lostCount = new Set([...endIds, ...lastIds, ...biasedOut]).size;
  refuse(
    width + lostCount > vocabulary,
    () =>
      `${width} beams beside ${lostCount} tokens that end or are forbidden need more than the vocabulary of ${vocabulary} has.`,
  );
}

/** The largest number of KV blocks that the request can come to hold must exist. */
function checkBlocks(request: TokenRequest, { blockTokens, blockCount }: Capacity): void {
  const promptCount = request.promptTokenIds.length;
  const width = requestWidth(request);
  const perSequence = Math.max(1, Math.ceil((promptCount + request.maxOutputTokens - 1) / blockTokens));
  const shared = width > 1 ? Math.floor((promptCount - 1) / blockTokens) : 0;
  const needed = shared + width * (perSequence - shared);
  if (needed <= blockCount) return;
  throw new AloftError(
    'REQUEST_TOO_LARGE',
    `The request can grow to ${needed} KV blocks of ${blockTokens} tokens, ${needed - blockCount} more than the ${blockCount} ` +
      'of this engine; ask for fewer tokens or sequences, or give the KV cache more memory.',
  );
}
