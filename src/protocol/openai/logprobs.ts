/** Log probabilities in the two forms of the OpenAI interface. */
import type { TextLogprobs } from '../../core/generate.js';

/** Log probabilities in /v1/completions: parallel arrays. */
export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** Builds the arrays of one choice; `text_offset` runs on from call to call. */
export class CompletionLogprobsBuilder {
  #textOffset = 0;

  /** The first token of a prompt has no probability. */
  unscored(text: string): CompletionLogprobs {
    const offset = this.#advance(text);
    return { tokens: [text], token_logprobs: [null], top_logprobs: [null], text_offset: [offset] };
  }

  scored(entries: readonly TextLogprobs[]): CompletionLogprobs {
    return {
      tokens: entries.map((entry) => label(entry.text, entry.bytes)),
      token_logprobs: entries.map((entry) => entry.logprob),
      top_logprobs: entries.map((entry) =>
        Object.fromEntries(
          entry.top.map((top, i) => [label(entry.topTexts[i]!, entry.topBytes[i]!), top.logprob]),
        ),
      ),
      text_offset: entries.map((entry) => this.#advance(entry.text)),
    };
  }

  #advance(text: string): number {
    const offset = this.#textOffset;
    this.#textOffset += text.length;
    return offset;
  }
}

export function joinLogprobs(parts: readonly CompletionLogprobs[]): CompletionLogprobs {
  return {
    tokens: parts.flatMap((part) => part.tokens),
    token_logprobs: parts.flatMap((part) => part.token_logprobs),
    top_logprobs: parts.flatMap((part) => part.top_logprobs),
    text_offset: parts.flatMap((part) => part.text_offset),
  };
}

interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** Log probabilities in /v1/chat/completions: one object per token. */
export interface ChatLogprobs {
  readonly content: (ChatToken & { readonly top_logprobs: readonly ChatToken[] })[];
  readonly refusal: null;
}

export function chatLogprobs(entries: readonly TextLogprobs[]): ChatLogprobs {
  const content = entries.map((entry) => ({
    ...chatToken(entry.text, entry.bytes, entry.logprob),
    top_logprobs: entry.top.map((top, i) => chatToken(entry.topTexts[i]!, entry.topBytes[i]!, top.logprob)),
  }));
  return { content, refusal: null };
}

function chatToken(token: string, bytes: Uint8Array, logprob: number): ChatToken {
  return { token, logprob, bytes: [...bytes] };
}

/** A token by its text, or by its bytes where these are only a part of a character: all parts look alike as text. */
function label(text: string, bytes: Uint8Array): string {
  if (!text.includes('\ufffd') || Buffer.from(text).equals(bytes)) return text;
  return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
}
