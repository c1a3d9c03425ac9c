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
  const { tokens } = longestPrompt(limits);
  const mostBytes = tokens * longestTokenBytes;
  // A character of a JavaScript string has one byte at least, so most texts need not be measured.
  if (text.length * 3 <= mostBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= mostBytes) return text;
  throw tooLong(`${bytes} bytes of text, more than all tokens of ${longestTokenBytes} bytes`, limits);
}

function longestPrompt(limits: TokenLimits) {
  const { maxInputTokens, maxSequenceTokens } = limits;
  const tokens = Math.min(maxInputTokens, maxSequenceTokens - 1);
  const setting = maxInputTokens < maxSequenceTokens ? 'max_input_len' : 'max_seq_len';
  return { tokens, ...boundOf(tokens, setting, limits) };
}

/** The bound of a length, a limit of the engine or, where that is no shorter, the KV cache; and the remedy that raises it. */
function boundOf(tokens: number, setting: string, { maxSequenceTokens, isCacheBound }: TokenLimits) {
  if (isCacheBound && tokens >= maxSequenceTokens - 1)
    return {
      setting: 'all that the KV cache holds',
      remedy: 'give the KV cache more (kv_cache_free_mem_fraction, max_tokens_in_paged_kv_cache)',
    };
  return { setting, remedy: `build the engine with a larger ${setting}` };
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
  if (kept.length > longestPrompt(limits).tokens) throw tooLong(`${kept.length} tokens`, limits);
  checkTokens('prompt', kept, limits.vocabulary);
  return Int32Array.from(kept);
}

/** The phrase in the middle is the one by which OpenAI's clients know that a conversation has grown too long. */
function tooLong(found: string, limits: TokenLimits): AloftError {
  const { tokens, setting, remedy } = longestPrompt(limits);
  return new AloftError(
    'PROMPT_TOO_LONG',
    `The prompt has ${found}, but ${contextLength(limits)}, of which a prompt takes at most ${tokens} (${setting}); ` +
      `shorten it, set truncatePromptTokens to ${tokens} or less, or ${remedy}.`,
  );
}

const contextLength = ({ maxSequenceTokens }: TokenLimits): string =>
  `this model's maximum context length is ${maxSequenceTokens} tokens`;

/**
 * Largest number of tokens to generate: as many as were asked for, or all that fit.
 * @throws {AloftError} REQUEST_TOO_LARGE, CONTEXT_LENGTH_EXCEEDED when more was asked for than fits and all of it is wanted.
 */
export function fitOutput(promptTokens: number, request: GenerateRequest, limits: TokenLimits): number {
  const room = limits.maxSequenceTokens - promptTokens;
  const most = Math.min(limits.maxOutputTokens, room);
  const wanted = request.maxOutputTokens;
  if (wanted === undefined) return most;
  // A prompt alone is read by a step that samples behind it.
  if (wanted === 0) return 1;
  if (wanted <= most || request.shortensOutput) return Math.min(wanted, most);
  if (wanted > limits.maxOutputTokens) {
    const { setting, remedy } = boundOf(limits.maxOutputTokens, 'max_output_len', limits);
    throw new AloftError(
      'REQUEST_TOO_LARGE',
      `maxOutputTokens is ${wanted}, but this engine generates at most ${limits.maxOutputTokens} tokens (${setting}); ` +
        `ask for less or ${remedy}.`,
    );
  }
  throw new AloftError(
    'CONTEXT_LENGTH_EXCEEDED',
    `The prompt of ${promptTokens} tokens and maxOutputTokens of ${wanted} make ${promptTokens + wanted}, but ` +
      `${contextLength(limits)} (${boundOf(limits.maxSequenceTokens, 'max_seq_len', limits).setting}); ask for at most ${room} or shorten the prompt.`,
  );
}
