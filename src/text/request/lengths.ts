/** Limits of the lengths of prompt and output. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import type { TokenLimits } from '../../core/token-batcher.js';
import { checkTokens, refuse } from './ranges.js';

/**
 * The prompt's tokens, cut to their last `truncatePromptTokens` when asked for.
 * @throws {AloftError} REQUEST_INVALID, PROMPT_TOO_LONG
 */
export function fitPrompt(
  tokenIds: readonly number[],
  request: GenerateRequest,
  limits: TokenLimits,
): Int32Array {
  const kept =
    request.truncatePromptTokens === undefined ? tokenIds : tokenIds.slice(-request.truncatePromptTokens);
  if (kept.length === 0) throw refuse('The prompt has no tokens; give at least one.');
  const longest = Math.min(limits.maxInputTokens, limits.maxSequenceTokens - 1);
  if (kept.length > longest) {
    const setting = limits.maxInputTokens < limits.maxSequenceTokens ? 'max_input_len' : 'max_seq_len';
    throw new AloftError(
      'PROMPT_TOO_LONG',
      `The prompt has ${kept.length} tokens, but this engine takes at most ${longest} (${setting}); ` +
        `shorten it, set truncatePromptTokens to ${longest} or less, or build the engine with a larger ${setting}.`,
    );
  }
  checkTokens('prompt', kept, limits.vocabulary);
  return Int32Array.from(kept);
}

/**
 * Largest number of tokens to generate: as many as were asked for, or all that fit.
 * @throws {AloftError} REQUEST_TOO_LARGE when more was asked for than fits.
 */
export function fitOutput(promptTokens: number, request: GenerateRequest, limits: TokenLimits): number {
  const room = limits.maxSequenceTokens - promptTokens;
  const wanted = request.maxOutputTokens;
  if (wanted === undefined) return Math.min(limits.maxOutputTokens, room);
  if (wanted > limits.maxOutputTokens)
    throw new AloftError(
      'REQUEST_TOO_LARGE',
      `maxOutputTokens is ${wanted}, but this engine generates at most ${limits.maxOutputTokens} tokens (max_output_len); ` +
        'ask for less or build the engine with a larger max_output_len.',
    );
  if (wanted > room)
    throw new AloftError(
      'REQUEST_TOO_LARGE',
      `The prompt of ${promptTokens} tokens and maxOutputTokens of ${wanted} make ${promptTokens + wanted}, but a sequence ` +
        `has at most ${limits.maxSequenceTokens} (max_seq_len); ask for at most ${room} or shorten the prompt.`,
    );
  return wanted;
}
