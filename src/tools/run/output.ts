/** Output of `aloft run`: the lines of TensorRT-LLM's run.py, then what a user wants to know of the run. */
import { durationsOf } from '../../core/durations.js';
import type { GenerateEvent, GenerateFinishedEvent, SequenceTextEvent } from '../../core/generate.js';

/** The whole answer to one prompt. */
export interface Answer {
  readonly promptTokenIds: readonly number[];
  readonly sequences: readonly SequenceTextEvent[];
  readonly finished: GenerateFinishedEvent;
}

/** One line: tokens, rate after the first token, time to the first token, why it ended. */
export function summaryLine(answer: Answer): string {
  const { usage, timings } = answer.finished;
  const firstMs = (timings.firstTokenMs ?? timings.submittedMs) - timings.submittedMs;
  const decodeMs = (timings.finishedMs ?? 0) - (timings.firstTokenMs ?? 0);
  const decodeTokens = usage.outputTokens - answer.sequences.length;
  const rate =
    decodeTokens > 0 && decodeMs > 0 ? `${((decodeTokens / decodeMs) * 1000).toFixed(1)} tokens/s, ` : '';
  const reasons = [...new Set(answer.sequences.map((sequence) => sequence.finishReason))].join(', ');
  const prompt = `${usage.promptTokens} prompt tokens${usage.cachedPromptTokens > 0 ? ` (${usage.cachedPromptTokens} cached)` : ''}`;
  return `[${prompt}, ${usage.outputTokens} output tokens, ${rate}first token after ${firstMs.toFixed(1)} ms, ended by ${reasons}]`;
}

/** An answer as `--json` prints it. Durations are in ms since the request. */
export function plainAnswer({ promptTokenIds, sequences, finished: { usage, timings } }: Answer): object {
  return {
    promptTokenIds: [...promptTokenIds],
    sequences: sequences.map(({ text, tokenIds, finishReason }) => ({
      text,
      tokenIds: [...tokenIds],
      finishReason,
    })),
    usage,
    durations: durationsOf(timings),
  };
}

/** Rows of prompt + continuation ids, padded with `padId` to one length: what run.py writes with --output_csv. */
export function csvRows(answers: readonly Answer[], padId: number): string {
  const rows = answers.flatMap((answer) =>
    answer.sequences.map((sequence) => [...answer.promptTokenIds, ...sequence.tokenIds]),
  );
  const width = Math.max(...rows.map((row) => row.length));
  return rows
    .map((row) => `${[...row, ...Array<number>(width - row.length).fill(padId)].join(',')}\n`)
    .join('');
}

/** Collects the events of one request; `onText` sees streamed text. @throws the request's own error when it failed */
export async function collectAnswer(
  events: AsyncIterable<GenerateEvent>,
  onText: (text: string, sequence: number) => void,
  fail: (event: Extract<GenerateEvent, { type: 'failed' }>) => never,
): Promise<Answer> {
  let promptTokenIds: readonly number[] = [];
  const sequences: SequenceTextEvent[] = [];
  for await (const event of events) {
    if (event.type === 'started') promptTokenIds = event.promptTokenIds;
    else if (event.type === 'text') onText(event.text, event.sequence);
    else if (event.type === 'sequence') sequences.push(event);
    else if (event.type === 'failed') fail(event);
    else if (event.type === 'finished') return { promptTokenIds, sequences, finished: event };
  }
  throw new Error('the event stream ended without a terminal event');
}
