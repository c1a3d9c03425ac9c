/** Collects the events of a request's rows into whole answers or streamed pieces. */
import type { GenerateEvent, TextEvent, TextLogprobs } from '../../core/generate.js';
import { joinLogits } from '../../core/logits.js';
import {
  emptyRow,
  withEvent,
  type Piece,
  type RowFacts,
  type TensorAnswer,
} from '../tensors/tensor-response.js';

interface Sequence {
  text: string;
  readonly tokenIds: number[];
  readonly logprobs: TextLogprobs[];
  readonly logits: Float32Array[];
  /** Sum over the tokens so far. */
  cumulativeLogprob: number;
  finished: Extract<GenerateEvent, { type: 'sequence' }> | undefined;
  wasStreamed: boolean;
}

export interface AnswerOptions {
  /** Only pieces are taken, so nothing is kept for a whole answer. */
  readonly isStreaming: boolean;
  /** Whole answers start with the prompt's token ids. */
  readonly echoTokens: boolean;
  /** Each streamed piece is one token, as clients of token ids expect, however many are there at once. */
  readonly splitsTokens: boolean;
  readonly sequenceCount: number;
}

export class AnswerBuilder {
  readonly #facts: RowFacts[];
  readonly #sequences: Map<number, Sequence>[];
  readonly #isStreaming: boolean;
  readonly #echoTokens: boolean;
  readonly #splitsTokens: boolean;
  readonly #isMany: boolean;
  #pieces: Piece[] = [];
  #finishedRowCount = 0;

  constructor(rowCount: number, options: AnswerOptions) {
    this.#isMany = rowCount > 1 || options.sequenceCount > 1;
    this.#facts = Array.from({ length: rowCount }, emptyRow);
    this.#sequences = Array.from({ length: rowCount }, () => new Map<number, Sequence>());
    this.#isStreaming = options.isStreaming;
    this.#echoTokens = options.echoTokens;
    this.#splitsTokens = options.splitsTokens;
  }

  /** True when every row had its terminal event. */
  get isComplete(): boolean {
    return this.#finishedRowCount === this.#facts.length;
  }

  /** True when no row has any token. */
  get isEmpty(): boolean {
    return this.#sequences.every((row) => row.size === 0);
  }

  push(row: number, event: GenerateEvent): void {
    this.#facts[row] = withEvent(this.#facts[row]!, event);
    if (event.type === 'finished') this.#finishedRowCount++;
    if (event.type === 'text') this.#pushText(row, event);
    if (event.type === 'sequence') this.#pushEnd(row, event);
  }

  /** Answers to the pieces that came since the last call, one each. */
  takePieces(): TensorAnswer[] {
    const taken = this.#pieces;
    this.#pieces = [];
    return taken.map((piece) => ({
      pieces: [piece],
      rows: [this.#facts[piece.row]!],
      isStreamed: true,
      isMany: this.#isMany,
    }));
  }

  whole(): TensorAnswer {
    return { pieces: this.#wholePieces(), rows: this.#facts, isStreamed: false, isMany: this.#isMany };
  }

  /** An answer to each sequence of each row, which it names. */
  wholes(): TensorAnswer[] {
    if (!this.#isMany) return [this.whole()];
    return this.#wholePieces().map((piece) => ({
      pieces: [piece],
      rows: [this.#facts[piece.row]!],
      isStreamed: true,
      isMany: true,
    }));
  }

  #wholePieces(): Piece[] {
    return this.#sequences.flatMap((row, rowIndex) =>
      [...row.entries()]
        .toSorted(([a], [b]) => a - b)
        .map(([index, sequence]) => this.#wholePiece(rowIndex, index, sequence)),
    );
  }

  #wholePiece(row: number, index: number, sequence: Sequence): Piece {
    const prompt = this.#echoTokens ? this.#facts[row]!.promptTokenIds : [];
    const output = sequence.finished?.tokenIds ?? sequence.tokenIds;
    return {
      row,
      sequence: index,
      text: sequence.finished?.text ?? sequence.text,
      tokenIds: [...prompt, ...output],
      outputCount: output.length,
      logprobs: sequence.logprobs,
      logits: sequence.logits.length === 0 ? undefined : joinLogits(sequence.logits),
      cumulativeLogprob: sequence.finished?.cumulativeLogprob ?? sum(sequence.logprobs),
      finishReason: sequence.finished?.finishReason,
    };
  }

  #pushText(row: number, event: TextEvent): void {
    const sequence = this.#sequence(row, event.sequence);
    if (!this.#isStreaming) return keep(sequence, event);
    if (event.text === '' && event.tokenIds.length === 0) return;
    sequence.wasStreamed = true;
    if (!this.#splitsTokens || event.tokenIds.length <= 1) return this.#pushPiece(row, sequence, event);
    for (const part of singleTokens(event)) this.#pushPiece(row, sequence, part);
  }

  #pushPiece(row: number, sums: Sequence, event: TextEvent): void {
    const { sequence, text, tokenIds, logprobs = NO_LOGPROBS, logits } = event;
    for (const { logprob } of logprobs) sums.cumulativeLogprob += logprob;
    this.#pieces.push({
      row,
      sequence,
      text,
      tokenIds,
      outputCount: tokenIds.length,
      logprobs,
      logits,
      cumulativeLogprob: sums.cumulativeLogprob,
      finishReason: undefined,
    });
  }

  /** Beams come whole at their end; otherwise the last piece that is still here carries the end. */
  #pushEnd(row: number, event: Extract<GenerateEvent, { type: 'sequence' }>): void {
    const sequence = this.#sequence(row, event.sequence);
    sequence.finished = event;
    if (!this.#isStreaming) return;
    const { cumulativeLogprob, finishReason } = event;
    const last = this.#pieces.findLastIndex(
      (piece) => piece.row === row && piece.sequence === event.sequence,
    );
    if (last >= 0) {
      this.#pieces[last] = { ...this.#pieces[last]!, cumulativeLogprob, finishReason };
      return;
    }
    const whole = sequence.wasStreamed
      ? { text: '', tokenIds: [] }
      : { text: event.text, tokenIds: event.tokenIds };
    this.#pieces.push({
      row,
      sequence: event.sequence,
      ...whole,
      outputCount: whole.tokenIds.length,
      logprobs: [],
      logits: undefined,
      cumulativeLogprob,
      finishReason,
    });
  }

  #sequence(row: number, index: number): Sequence {
    const sequences = this.#sequences[row]!;
    let sequence = sequences.get(index);
    if (sequence === undefined) {
      sequence = {
        text: '',
        tokenIds: [],
        logprobs: [],
        logits: [],
        cumulativeLogprob: 0,
        finished: undefined,
        wasStreamed: false,
      };
      sequences.set(index, sequence);
    }
    return sequence;
  }
}

const NO_LOGPROBS: readonly TextLogprobs[] = [];

function keep(sequence: Sequence, { text, tokenIds, logprobs, logits }: TextEvent): void {
  sequence.text += text;
  for (const id of tokenIds) sequence.tokenIds.push(id);
  for (const entry of logprobs ?? []) sequence.logprobs.push(entry);
  if (logits) sequence.logits.push(logits);
}

function sum(logprobs: readonly TextLogprobs[]): number {
  return logprobs.reduce((total, entry) => total + entry.logprob, 0);
}

/** The event as one for each of its tokens; the text, which nobody reads who reads token ids, goes with the last. */
function singleTokens(event: TextEvent): TextEvent[] {
  const { tokenIds, logprobs, logits } = event;
  const width = (logits?.length ?? 0) / tokenIds.length;
  return tokenIds.map((id, i) => ({
    ...event,
    text: i === tokenIds.length - 1 ? event.text : '',
    tokenIds: [id],
    logprobs: logprobs?.slice(i, i + 1),
    logits: logits?.subarray(i * width, (i + 1) * width),
  }));
}
