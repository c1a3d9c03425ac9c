/** The events of one request on their way to a reader who may be slower than the engine. */
import type {
  EventGenerator,
  GenerateEvent,
  GenerateRequest,
  TextEvent,
  TextLogprobs,
} from '../core/generate.js';

/** Text that waits for the reader; grows in place. */
interface PendingText {
  readonly type: 'pending';
  readonly sequence: number;
  text: string;
  readonly tokenIds: number[];
  logprobs: TextLogprobs[] | undefined;
  readonly logits: Float32Array[];
}

type Entry = PendingText | Exclude<GenerateEvent, TextEvent>;
type Result = IteratorResult<GenerateEvent, undefined>;

const DONE: Result = { done: true, value: undefined };

/**
 * Every iteration is one request, submitted when it starts. Breaking off the iteration or aborting `signal` cancels the
 * request.
 */
export function iterateEvents(
  generator: EventGenerator,
  request: GenerateRequest,
  signal?: AbortSignal,
): AsyncIterable<GenerateEvent> {
  return { [Symbol.asyncIterator]: () => startStream(generator, request, signal) };
}

function startStream(
  generator: EventGenerator,
  request: GenerateRequest,
  signal: AbortSignal | undefined,
): EventStream {
  const stream = new EventStream(() => cancel());
  const cancel = generator.start(request, (event) => {
    if (event.type === 'finished' || event.type === 'failed') signal?.removeEventListener('abort', cancel);
    stream.push(event);
  });
  if (signal?.aborted) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  return stream;
}

/**
 * An iterator that the engine fills. Text that waits is merged per sequence, so at most a handful of events wait however
 * slow the reader is, and a slow reader never holds the engine up. Ends with the first `finished` or `failed` event.
 */
class EventStream implements AsyncIterator<GenerateEvent, undefined> {
  readonly #entries: Entry[] = [];
  readonly #waiters: ((result: Result) => void)[] = [];
  readonly #onLeave: () => void;
  #isEnded = false;

  /** @param onLeave called once when the reader leaves before the last event. */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** No further event will be taken: the last one came, or the reader left. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  push(event: GenerateEvent): void {
    if (this.#isEnded) return;
    this.#isEnded = event.type === 'finished' || event.type === 'failed';
    const waiter = this.#waiters.shift();
    if (waiter) waiter({ done: false, value: event });
    else this.#enqueue(event);
    if (this.#isEnded) this.#dismissWaiters();
  }

  next(): Promise<Result> {
    const entry = this.#entries.shift();
    if (entry)
      return Promise.resolve({ done: false, value: entry.type === 'pending' ? merged(entry) : entry });
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The reader leaves. Takes effect at once, also while a `next` is waiting. */
  return(): Promise<Result> {
    this.#entries.length = 0;
    if (!this.#isEnded) {
      this.#isEnded = true;
      this.#onLeave();
    }
    this.#dismissWaiters();
    return Promise.resolve(DONE);
  }

  #dismissWaiters(): void {
    for (const waiter of this.#waiters.splice(0)) waiter(DONE);
  }

  #enqueue(event: GenerateEvent): void {
    if (event.type !== 'text') this.#entries.push(event);
    else this.#enqueueText(event);
  }

  #enqueueText({ sequence, text, tokenIds, logprobs, logits }: TextEvent): void {
    const entry = this.#pendingText(sequence);
    entry.text += text;
    entry.tokenIds.push(...tokenIds);
    if (logprobs) (entry.logprobs ??= []).push(...logprobs);
    if (logits) entry.logits.push(logits);
  }

  #pendingText(sequence: number): PendingText {
    for (const entry of this.#entries)
      if (entry.type === 'pending' && entry.sequence === sequence) return entry;
    const entry: PendingText = {
      type: 'pending',
      sequence,
      text: '',
      tokenIds: [],
      logprobs: undefined,
      logits: [],
    };
    this.#entries.push(entry);
    return entry;
  }
}

function merged({ sequence, text, tokenIds, logprobs, logits }: PendingText): TextEvent {
  return { type: 'text', sequence, text, tokenIds, logprobs, logits: concatenate(logits) };
}

function concatenate(parts: readonly Float32Array[]): Float32Array | undefined {
  if (parts.length <= 1) return parts[0];
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
