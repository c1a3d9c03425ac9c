/** Limits of the lengths of prompt and output. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import type { TokenLimits } from '../../core/token-batcher.js';
import { checkTokens, refuse } from './ranges.js';

/** Text before the kept end of a prompt that its first tokens may depend on, characters. */
const CONTEXT_CHARACTERS = 4096;

/**
 * The prompt's text as far as it has to be tokenised: all of it, or its end where only the last tokens are kept.
 * @param longestTokenBytes bytes of the longest token of the vocabulary
 * @throws {AloftError} PROMPT_TOO_LONG for a text that is longer than the longest prompt of the longest tokens
 */
export function fitText(
  text: string,
  request: Pick<GenerateRequest, 'truncatePromptTokens'>,
  limits: TokenLimits,
  longestTokenBytes: number,
): string {
  const { truncatePromptTokens: keptTokens } = request;
  if (keptTokens !== undefined) {
    const keptCharacters = keptTokens * longestTokenBytes + CONTEXT_CHARACTERS;
    return text.length <= keptCharacters ? text : text.slice(-keptCharacters).replace(/^[\udc00-\udfff]/, '');
  }
  const { tokens, setting } = longestPrompt(limits);
  const mostBytes = tokens * longestTokenBytes;
  // A character of a JavaScript string has one byte at least, so most texts need not be measured.
  if (text.length * 3 <= mostBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= mostBytes) return text;
  throw new AloftError(
    'PROMPT_TOO_LONG',
    `The prompt has ${bytes} bytes of text, but this engine takes at most ${tokens} tokens (${setting}) of at most ${longestTokenBytes} bytes; ` +
      `shorten it, set truncatePromptTokens to ${tokens} or less, or build the engine with a larger ${setting}.`,
  );
}

function longestPrompt({ maxInputTokens, maxSequenceTokens }: TokenLimits) {
  return {
    tokens: Math.min(maxInputTokens, maxSequenceTokens - 1),
    setting: maxInputTokens < maxSequenceTokens ? 'max_input_len' : 'max_seq_len',
  };
}

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
  const { tokens: longest, setting } = longestPrompt(limits);
  if (kept.length > longest) {
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
