import type { TokenRequest } from '../../../core/request.js';

/**
 * What the prefix index keeps a request's blocks apart by: the client's salt, and the prompt's length where its KV
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
