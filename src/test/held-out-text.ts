/** The demo model's held-out text as requests, and the perplexity of an engine on it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_CLOCK } from '../core/clock.js';
import type { TokenRequest } from '../core/request.js';
import { GREEDY } from '../core/sampling.js';
import { Batcher } from '../run/batcher/batcher.js';
import { DEFAULT_BATCHER_OPTIONS } from '../run/batcher/batcher-options.js';
import { tokenRequest } from '../run/batcher/testing/mixed-requests.js';
import { runToEnd } from '../run/batcher/testing/outcome.js';
import type { Executor } from '../run/executor/executor.js';
import { loadTokenizer } from '../text/tokenizer/load.js';

/** Predictions of one window; see `definition` in the reference. */
const WINDOW_TOKENS = 512;
const [BEGIN_ID, END_ID] = [1, 2];

export interface HeldOutText {
  readonly documentCount: number;
  /** One per window, with the log probabilities of its tokens after the first. */
  readonly requests: readonly TokenRequest[];
}

/** @param directory the demo model */
export async function heldOutText(directory: string): Promise<HeldOutText> {
  const tokenizer = await loadTokenizer(directory);
  const text = readFileSync(join(directory, 'heldout.txt'), 'utf8');
  const documents = text.split('\n</s>\n').filter((document) => document !== '');
  const requests: TokenRequest[] = [];
  for (const [i, document] of documents.entries()) {
    const ids = [BEGIN_ID, ...(await tokenizer.encode(document, { addSpecialTokens: false })), END_ID];
    for (let start = 0; start < ids.length - 1; start += WINDOW_TOKENS)
      requests.push(
        tokenRequest(`${i}/${start}`, {
          promptTokenIds: Int32Array.from(ids.slice(start, start + WINDOW_TOKENS + 1)),
          maxOutputTokens: 1,
          sampling: { ...GREEDY, promptLogprobs: 0 },
        }),
      );
  }
  return { documentCount: documents.length, requests };
}

/** Negative log-likelihoods [windows][predictions] of an engine of the demo model, which must have room for 8192 tokens. */
export async function lossesOf(executor: Executor, { requests }: HeldOutText): Promise<number[][]> {
  const batcher = new Batcher(executor, DEFAULT_BATCHER_OPTIONS, SYSTEM_CLOCK);
  const collectors = await runToEnd(batcher, requests);
  return collectors.map(({ outcome }) => outcome.promptLogprobs!.map(({ logprob }) => -logprob));
}

export function perplexityOf(losses: readonly (readonly number[])[]): number {
  const all = losses.flat();
  return Math.exp(all.reduce((sum, loss) => sum + loss, 0) / all.length);
}
