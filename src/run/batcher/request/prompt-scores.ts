import { joinLogits } from '../../../core/logits.js';
import type { PromptEvent, TokenLogprobs, TokenRequest } from '../../../core/request.js';
import type { StepOutput } from '../../../core/step.js';
import { logitsAt, logprobsAt } from './step-results.js';

/** Collects log probabilities and logits of a prompt, token by token as the chunks come back. */
export class PromptScores {
  readonly #request: TokenRequest;
  readonly #logprobs: TokenLogprobs[] = [];
  readonly #logits: Float32Array[] = [];
  isEmitted = false;

  constructor(request: TokenRequest) {
    this.#request = request;
  }

  /** @param logit scores the next prompt token */
  add(output: StepOutput, logit: number): void {
    const { sampling, returnContextLogits } = this.#request;
    if (sampling.promptLogprobs !== undefined)
      this.#logprobs.push(logprobsAt(output, logit, sampling.promptLogprobs));
    if (returnContextLogits) this.#logits.push(logitsAt(output, logit));
  }

  /** @param logit follows the last prompt token: everything is known now */
  finish(output: StepOutput, logit: number): PromptEvent {
    const { sampling, returnContextLogits, id } = this.#request;
    if (returnContextLogits) this.#logits.push(logitsAt(output, logit));
    this.isEmitted = true;
    return {
      type: 'prompt',
      id,
      logprobs: sampling.promptLogprobs === undefined ? undefined : this.#logprobs,
      logits: returnContextLogits ? joinLogits(this.#logits) : undefined,
    };
  }
}
