/** One request in progress: turns the batcher's token events into text events. */
import type { EmbeddingTraits } from '../core/embedding.js';
import type { GenerateEvent, GenerateRequest, TextLogprobs } from '../core/generate.js';
import type {
  BatcherEvent,
  FailedEvent,
  FinishedEvent,
  FinishReason,
  PromptEvent,
  SequenceEvent,
  TokenEvent,
  TokenLogprobs,
  TokenRequest,
  Usage,
} from '../core/request.js';
import { pooled } from './embedding.js';
import { SequenceText } from './sequence-text.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

interface Sequence {
  readonly output: SequenceText;
  /** Its text is complete. */
  isDone: boolean;
  /** Ended because its request failed: its text is only a part. */
  isBrokenOff: boolean;
  /** Sum of the log probabilities of the tokens so far; NaN when the request did not ask for them. */
  cumulativeLogprob: number;
}

type Emit = (event: GenerateEvent) => void;

/** Why a sequence of a request that fails ends. */
const BROKEN_OFF: ReadonlySet<FinishReason> = new Set(['cancelled', 'deadline', 'error']);

export class TextRun {
  readonly #tokenizer: Tokenizer;
  readonly #sequences: readonly Sequence[];
  readonly #promptTokenIds: Int32Array;
  /** True if only the prompt counts: the batcher generates one token at least. */
  readonly #isPromptOnly: boolean;

  readonly #embeds: ((states: Float32Array) => Float32Array) | undefined;

  /** @param traits how the model makes embeddings; undefined: it makes none */
  constructor(
    request: GenerateRequest,
    tokens: TokenRequest,
    tokenizer: Tokenizer,
    traits?: EmbeddingTraits,
  ) {
    this.#tokenizer = tokenizer;
    const { embedding } = request;
    if (embedding !== undefined && traits !== undefined)
      this.#embeds = (states) => pooled(states, traits, embedding.dimensions);
    this.#promptTokenIds = tokens.promptTokenIds;
    this.#isPromptOnly = request.maxOutputTokens === 0;
    const options = {
      table: tokenizer.table,
      skipSpecialTokens: request.skipSpecialTokens ?? true,
      shownTokens: request.shownTokens ?? [],
      stops: request.stop ?? [],
      includeStop: request.includeStop ?? false,
      minTokens: request.minTokens ?? 0,
    };
    this.#sequences = Array.from({ length: tokens.sequenceCount }, () => ({
      output: new SequenceText(options),
      isDone: false,
      isBrokenOff: false,
      cumulativeLogprob: request.logprobs === undefined ? NaN : 0,
    }));
  }

  /** The answer is the rest of the prompt's text: see {@link GenerateRequest.continuesPrompt}. */
  follow(): void {
    for (const { output } of this.#sequences) output.follow(this.#promptTokenIds);
  }

  get #isComplete(): boolean {
    return this.#sequences.every((sequence) => sequence.isDone);
  }

  /** The prompt as the first text of every sequence. */
  echo(): GenerateEvent[] {
    return this.#sequences.map(({ output }, sequence) =>
      textEvent(sequence, output.echo(this.#promptTokenIds), []),
    );
  }

  /** Emits the text events that one batcher event produces. A `token` event yields a `sequence` event only if a stop string ended the text. */
  accept(event: BatcherEvent, emit: Emit): void {
    switch (event.type) {
      case 'token':
        return this.#acceptTokens(event, emit);
      case 'sequence':
        return this.#acceptSequence(event, emit);
      case 'prompt':
        return emit(this.#promptEvent(event));
      case 'finished':
        return emit({ type: 'finished', usage: this.#usage(event), timings: event.timings });
      case 'failed':
        return emit(this.#acceptFailure(event));
    }
  }

  #promptEvent({ logprobs, logits }: PromptEvent): GenerateEvent {
    const common = { type: 'prompt', logprobs: this.#withTexts(logprobs) } as const;
    if (this.#embeds === undefined || logits === undefined) return { ...common, logits };
    return { ...common, logits: undefined, embedding: this.#embeds(logits) };
  }

  #acceptTokens(event: TokenEvent, emit: Emit): void {
    const sequence = this.#sequences[event.sequence];
    if (!sequence || sequence.isDone || this.#isPromptOnly) return;
    const { output } = sequence;
    const { tokenIds } = event;
    const { text, takenCount } = push(output, tokenIds);
    const logprobs = event.logprobs?.slice(0, takenCount);
    for (const { logprob } of logprobs ?? []) sequence.cumulativeLogprob += logprob;
    emit({
      type: 'text',
      sequence: event.sequence,
      text,
      tokenIds: takenCount === tokenIds.length ? tokenIds : tokenIds.slice(0, takenCount),
      logprobs: this.#withTexts(logprobs),
      logits: event.logits?.subarray(0, (event.logits.length / tokenIds.length) * takenCount),
    });
    if (output.stop !== undefined) emit(this.#finish(event.sequence, 'stop_word'));
  }

  /** Beams and the best of several are only heard of here: tokens that were not streamed make one last text event. */
  #acceptSequence(event: SequenceEvent, emit: Emit): void {
    const sequence = this.#sequences[event.sequence];
    if (!sequence || sequence.isDone) return;
    if (this.#isPromptOnly) {
      sequence.cumulativeLogprob = 0;
      sequence.isBrokenOff = BROKEN_OFF.has(event.finishReason);
      return emit(this.#finish(event.sequence, sequence.isBrokenOff ? event.finishReason : 'length'));
    }
    const { output } = sequence;
    const unseen = event.tokenIds.slice(output.tokenIds.length);
    const { text, takenCount } = push(output, unseen);
    const rest = output.stop === undefined ? text + output.end() : text;
    if (rest !== '' || takenCount > 0) {
      const logprobs = this.#withTexts(event.logprobs?.slice(0, takenCount));
      emit({ ...textEvent(event.sequence, rest, unseen.slice(0, takenCount)), logprobs });
    }
    sequence.cumulativeLogprob = event.cumulativeLogprob;
    const reason = output.stop === undefined ? event.finishReason : 'stop_word';
    sequence.isBrokenOff = BROKEN_OFF.has(reason);
    emit(this.#finish(event.sequence, reason));
  }

  /** A request whose texts were all complete has not failed for its reader. */
  #acceptFailure(event: FailedEvent): GenerateEvent {
    const usage = this.#usage(event);
    const isWhole = this.#isComplete && !this.#sequences.some((sequence) => sequence.isBrokenOff);
    if (isWhole) return { type: 'finished', usage, timings: event.timings };
    return { type: 'failed', error: event.error, usage, timings: event.timings };
  }

  #finish(index: number, finishReason: FinishReason): GenerateEvent {
    const sequence = this.#sequences[index]!;
    const { text, tokenIds, stop } = sequence.output;
    sequence.isDone = true;
    const { cumulativeLogprob } = sequence;
    return { type: 'sequence', sequence: index, text, tokenIds, finishReason, stop, cumulativeLogprob };
  }

  /** Behind a stop string the batcher may have generated more than was given out. */
  #usage({ usage }: FinishedEvent | FailedEvent): Usage {
    if (this.#isPromptOnly) return { ...usage, outputTokens: 0 };
    if (this.#sequences.every(({ output }) => output.stop === undefined)) return usage;
    return {
      ...usage,
      outputTokens: this.#sequences.reduce((sum, { output }) => sum + output.tokenIds.length, 0),
    };
  }

  #withTexts(logprobs: readonly TokenLogprobs[] | undefined): TextLogprobs[] | undefined {
    return logprobs?.map((entry) => ({
      ...entry,
      text: this.#tokenizer.tokenText(entry.tokenId),
      bytes: this.#tokenizer.tokenBytes(entry.tokenId),
      topTexts: entry.top.map(({ tokenId }) => this.#tokenizer.tokenText(tokenId)),
      topBytes: entry.top.map(({ tokenId }) => this.#tokenizer.tokenBytes(tokenId)),
    }));
  }
}

/** Pushes tokens until a stop string is found; tokens behind it are not taken. */
function push(output: SequenceText, tokenIds: readonly number[]): { text: string; takenCount: number } {
  let text = '';
  let takenCount = 0;
  while (takenCount < tokenIds.length && output.stop === undefined)
    text += output.push(tokenIds[takenCount++]!);
  return { text, takenCount };
}

function textEvent(sequence: number, text: string, tokenIds: readonly number[]) {
  return { type: 'text', sequence, text, tokenIds, logprobs: undefined, logits: undefined } as const;
}
