/** Token counts of a response. */
import type { FinishReason, Usage } from '../../core/request.js';

export interface OpenAiUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  readonly completion_tokens_details?: { readonly reasoning_tokens: number };
}

/** Sums the counts of all prompts of a request. @param thoughtTokens undefined where the model has no thoughts */
export function openAiUsage(parts: readonly Usage[], thoughtTokens?: number): OpenAiUsage {
  const sum = (count: (usage: Usage) => number) => parts.reduce((total, usage) => total + count(usage), 0);
  const promptTokens = sum((usage) => usage.promptTokens);
  const outputTokens = sum((usage) => usage.outputTokens);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: outputTokens,
    total_tokens: promptTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: sum((usage) => usage.cachedPromptTokens) },
    ...(thoughtTokens === undefined
      ? {}
      : { completion_tokens_details: { reasoning_tokens: thoughtTokens } }),
  };
}

export function openAiFinishReason(reason: FinishReason): 'stop' | 'length' {
  return reason === 'length' ? 'length' : 'stop';
}

export type ChatFinishReason = 'stop' | 'length' | 'tool_calls';

export function chatFinishReason({
  finishReason,
  callCount,
}: {
  readonly finishReason: FinishReason;
  readonly callCount: number;
}): ChatFinishReason {
  if (finishReason === 'length') return 'length';
  return callCount > 0 ? 'tool_calls' : 'stop';
}
