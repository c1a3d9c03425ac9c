import type { TokenRequest } from '../../../core/request.js';

/**
 * Salt by which the prefix index keeps a request's blocks apart: the client's own, and the prompt's length where its KV
 * depends on it. Different pairs never give equal salts.
 * @param uniformPromptTokens see ExecutorLimits
 */
export function prefixSalt(
  { cacheSalt, promptTokenIds }: TokenRequest,
  uniformPromptTokens: number | undefined,
): string | undefined {
  if (uniformPromptTokens === undefined) return cacheSalt;
  if (promptTokenIds.length > uniformPromptTokens)
    return JSON.stringify([cacheSalt ?? null, promptTokenIds.length]);
  return cacheSalt === undefined ? undefined : JSON.stringify([cacheSalt]);
}
