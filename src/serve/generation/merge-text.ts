/** Joins text that waits for the same client: one message with three tokens costs hardly more than one with one. */
import type { GenerateEvent, TextEvent, TextLogprobs } from '../../core/generate.js';
import { joinLogits } from '../../core/logits.js';

/** Adjacent text events of one sequence become one; all else stays as it is. */
export function mergeTexts(events: readonly GenerateEvent[]): readonly GenerateEvent[] {
  if (events.length === 1) return events;
  const merged: GenerateEvent[] = [];
  for (let start = 0; start < events.length;) {
    const first = events[start]!;
    let end = start + 1;
    if (first.type === 'text') {
      while (isTextOf(events[end], first.sequence)) end++;
    }
    merged.push(end === start + 1 ? first : joined(events.slice(start, end) as TextEvent[]));
    start = end;
  }
  return merged;
}

function isTextOf(event: GenerateEvent | undefined, sequence: number): boolean {
  return event?.type === 'text' && event.sequence === sequence;
}

function joined(parts: readonly TextEvent[]): TextEvent {
  const tokenIds: number[] = [];
  let text = '';
  let logprobs: TextLogprobs[] | undefined;
  let logits: Float32Array[] | undefined;
  for (const part of parts) {
    text += part.text;
    tokenIds.push(...part.tokenIds);
    if (part.logprobs !== undefined) (logprobs ??= []).push(...part.logprobs);
    if (part.logits !== undefined) (logits ??= []).push(part.logits);
  }
  return {
    type: 'text',
    sequence: parts[0]!.sequence,
    text,
    tokenIds,
    logprobs,
    logits: logits && joinLogits(logits),
  };
}
