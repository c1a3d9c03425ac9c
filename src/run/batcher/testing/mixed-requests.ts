import type { RequestId } from '../../../core/ids.js';
import type { TokenRequest } from '../../../core/request.js';
import { seededRandom } from '../../../core/random.js';
import { GREEDY } from '../../../core/sampling.js';

/** A request with everything at its plainest. */
export function tokenRequest(id: string, changes: Partial<TokenRequest> = {}): TokenRequest {
  return {
    id: id as RequestId,
    promptTokenIds: Int32Array.of(1, 2, 3),
    maxOutputTokens: 8,
    sampling: GREEDY,
    beam: undefined,
    sequenceCount: 1,
    bestOf: changes.sequenceCount ?? 1,
    endIds: [],
    stopTokenLists: [],
    priority: 0,
    queueTimeoutMs: undefined,
    deadlineMs: undefined,
    cacheSalt: undefined,
    returnContextLogits: false,
    returnGenerationLogits: false,
    ...changes,
  };
}

export interface MixLimits {
  readonly vocabulary: number;
  readonly maxPromptTokens: number;
  readonly maxOutputTokens: number;
  /** Kinds that the executor cannot do are left out. */
  readonly withBeams: boolean;
}

/**
 * Requests of every kind: short and long, with common beginnings, greedy and sampled, several continuations, beams,
 * stop lists, end ids, penalties, bad words, biases, scores of prompt and output.
 */
export function mixedRequests(count: number, seed: number, limits: MixLimits): TokenRequest[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random.next() * limit);
  const tokens = (length: number) => Int32Array.from({ length }, () => below(limits.vocabulary));
  const beginnings = [0, 1, 2].map((part) => tokens(Math.floor((limits.maxPromptTokens * (part + 1)) / 5)));
  return Array.from({ length: count }, (_, i) => {
    const beginning = i % 3 === 0 ? tokens(0) : beginnings[below(beginnings.length)]!;
    const rest = tokens(1 + below(limits.maxPromptTokens - beginning.length));
    return tokenRequest(`mixed-${i}`, {
      promptTokenIds: Int32Array.of(...beginning, ...rest),
      maxOutputTokens: 1 + below(limits.maxOutputTokens),
      priority: below(3) - 1,
      cacheSalt: i % 5 === 0 ? `tenant-${i % 2}` : undefined,
      endIds: i % 2 === 0 ? [below(limits.vocabulary), below(limits.vocabulary)] : [],
      ...kindOf(i, below, limits),
    });
  });
}

function kindOf(i: number, below: (limit: number) => number, limits: MixLimits): Partial<TokenRequest> {
  const sampled = { ...GREEDY, temperature: 0.8, seed: BigInt(below(1e6)) };
  switch (i % 10) {
    case 1:
      return { sampling: sampled };
    case 2:
      return { sampling: { ...sampled, topK: 5, minTokens: below(6) } };
    case 3:
      return { sampling: sampled, sequenceCount: 2 + below(3), bestOf: 4 };
    case 4:
      return { sampling: sampled, sequenceCount: 3, bestOf: 3 };
    case 5:
      return limits.withBeams ? beams(below, limits) : {};
    case 6:
      return { stopTokenLists: [[below(limits.vocabulary)], [below(limits.vocabulary), 1, 2]] };
    case 7:
      return {
        sampling: { ...GREEDY, repetitionPenalty: 1.3, presencePenalty: 0.5, frequencyPenalty: 0.25 },
      };
    case 8:
      return { sampling: { ...GREEDY, logprobs: 3, promptLogprobs: 2 }, returnContextLogits: true };
    case 9:
      return { sampling: { ...GREEDY, logprobs: 0 }, returnGenerationLogits: true };
    default:
      return {};
  }
}

/** Every second search under penalties, a bias and bad words. */
function beams(below: (limit: number) => number, { vocabulary }: MixLimits): Partial<TokenRequest> {
  const width = 2 + below(3);
  const lengthPenalty = 0.5 + below(3) / 2;
  const beam = { width, lengthPenalty, earlyStopping: below(2) === 0 };
  const sampling = {
    ...GREEDY,
    repetitionPenalty: 1.2,
    presencePenalty: 0.3,
    frequencyPenalty: 0.2,
    logitBias: new Map([[below(vocabulary), 2]]),
    minTokens: below(6),
    badWords: [[below(vocabulary)], [below(vocabulary), below(vocabulary)]],
  };
  const isPlain = below(2) === 0;
  return { beam, sequenceCount: 1 + below(width), sampling: isPlain ? GREEDY : sampling };
}
