/** Events -> answer of /v1/completions. */
import type { ErrorReport } from '../../core/errors.js';
import type { Usage } from '../../core/request.js';
import { sseFrame } from '../sse.js';
import { openAiError } from './error.js';
import type { AnswerHead, BodyWriter, PromptedEvent, StreamWriter } from './answer.js';
import { CompletionLogprobsBuilder, joinLogprobs, type CompletionLogprobs } from './logprobs.js';
import type { StreamOptions } from './stream-options.js';
import { openAiFinishReason, openAiUsage } from './usage.js';

interface Piece {
  readonly index: number;
  readonly text: string;
  readonly logprobs: CompletionLogprobs | null;
  readonly finish_reason: 'stop' | 'length' | null;
}

/** Cuts the events of all prompts into pieces of numbered choices. */
class Pieces {
  readonly usages: Usage[] = [];
  readonly #sequenceCount: number;
  readonly #builders = new Map<number, CompletionLogprobsBuilder>();

  constructor(sequenceCount: number) {
    this.#sequenceCount = sequenceCount;
  }

  of({ promptIndex, event, firstTokenText }: PromptedEvent): Piece[] {
    const indexOf = (sequence: number) => promptIndex * this.#sequenceCount + sequence;
    switch (event.type) {
      case 'prompt':
        return Array.from({ length: this.#sequenceCount }, (_, sequence) => {
          const builder = this.#builderOf(indexOf(sequence));
          const logprobs = joinLogprobs([
            builder.unscored(firstTokenText ?? ''),
            builder.scored(event.logprobs ?? []),
          ]);
          return { index: indexOf(sequence), text: '', logprobs, finish_reason: null };
        });
      case 'text': {
        const index = indexOf(event.sequence);
        const logprobs = event.logprobs ? this.#builderOf(index).scored(event.logprobs) : null;
        return [{ index, text: event.text, logprobs, finish_reason: null }];
      }
      case 'sequence': {
        const finish_reason = openAiFinishReason(event.finishReason);
        return [{ index: indexOf(event.sequence), text: '', logprobs: null, finish_reason }];
      }
      case 'finished':
        this.usages.push(event.usage);
        return [];
      default:
        return [];
    }
  }

  #builderOf(index: number): CompletionLogprobsBuilder {
    let builder = this.#builders.get(index);
    if (builder === undefined) this.#builders.set(index, (builder = new CompletionLogprobsBuilder()));
    return builder;
  }
}

const bodyOf = (head: AnswerHead, choices: readonly Piece[]) => ({
  ...head,
  object: 'text_completion',
  choices,
});

export class CompletionStreamWriter implements StreamWriter {
  readonly #head: AnswerHead;
  readonly #pieces: Pieces;
  readonly #includeUsage: boolean;
  /** JSON before the index of a chunk that holds only text, and JSON behind the text. */
  readonly #textChunk: readonly [before: string, behind: string];

  constructor(head: AnswerHead, sequenceCount: number, options: StreamOptions) {
    this.#head = head;
    this.#pieces = new Pieces(sequenceCount);
    this.#includeUsage = options.includeUsage;
    this.#textChunk = [
      `${JSON.stringify(bodyOf(head, [])).slice(0, -2)}{"index":`,
      `,"logprobs":null,"finish_reason":null}]${options.includeUsage ? ',"usage":null' : ''}}`,
    ];
  }

  push(item: PromptedEvent): string {
    let frames = '';
    for (const piece of this.#pieces.of(item)) {
      if (piece.logprobs || piece.finish_reason) frames += sseFrame(this.#chunk(piece));
      else if (piece.text !== '') frames += sseFrame(this.#textOnly(piece));
    }
    return frames;
  }

  end(): string {
    const done = sseFrame('[DONE]');
    if (!this.#includeUsage) return done;
    const body = { ...bodyOf(this.#head, []), usage: openAiUsage(this.#pieces.usages) };
    return sseFrame(JSON.stringify(body)) + done;
  }

  fail(report: ErrorReport, param: string | null): string {
    return sseFrame(JSON.stringify(openAiError(report, param)));
  }

  #chunk(piece: Piece): string {
    const usage = this.#includeUsage ? { usage: null } : {};
    return JSON.stringify({ ...bodyOf(this.#head, [piece]), ...usage });
  }

  /** Writes the same as {@link chunk}, with all but two values written beforehand: most chunks are of this kind. */
  #textOnly({ index, text }: Piece): string {
    return `${this.#textChunk[0]}${index},"text":${JSON.stringify(text)}${this.#textChunk[1]}`;
  }
}

export class CompletionBodyWriter implements BodyWriter {
  readonly #head: AnswerHead;
  readonly #pieces: Pieces;
  readonly #sequenceCount: number;
  readonly #choices = new Map<
    number,
    { text: string; logprobs: CompletionLogprobs[]; finish: Piece['finish_reason'] }
  >();

  constructor(head: AnswerHead, sequenceCount: number) {
    this.#head = head;
    this.#sequenceCount = sequenceCount;
    this.#pieces = new Pieces(sequenceCount);
  }

  push(item: PromptedEvent): void {
    for (const piece of this.#pieces.of(item)) {
      const choice = this.#choices.get(piece.index) ?? { text: '', logprobs: [], finish: null };
      if (piece.logprobs) choice.logprobs.push(piece.logprobs);
      choice.finish ??= piece.finish_reason;
      this.#choices.set(piece.index, choice);
    }
    // The whole text is in the sequence event; with beams and best_of it is nowhere else.
    if (item.event.type !== 'sequence') return;
    const index = item.promptIndex * this.#sequenceCount + item.event.sequence;
    const choice = this.#choices.get(index);
    if (choice) choice.text = item.event.text;
  }

  body(): object {
    const choices = [...this.#choices.entries()]
      .toSorted(([a], [b]) => a - b)
      .map(([index, choice]) => ({
        index,
        text: choice.text,
        logprobs: choice.logprobs.length > 0 ? joinLogprobs(choice.logprobs) : null,
        finish_reason: choice.finish,
      }));
    return { ...bodyOf(this.#head, choices), usage: openAiUsage(this.#pieces.usages) };
  }
}
