/** The work of `aloft client` once its options are parsed: sends a prompt, prints the text as it comes, checks, stops, repeats. */
import { AloftError } from '../core/errors.js';
import type { TextPiece, TextRequest } from './text-request.js';

/** The part of both clients that the command uses. */
export interface TextClient {
  generate(request: TextRequest, options: { readonly signal?: AbortSignal }): AsyncIterable<TextPiece>;
}

export interface ClientCommand {
  readonly request: TextRequest;
  /** Sends the prompt so many times at once; answers are then printed whole, each with its number. */
  readonly concurrency: number;
  /** Cancels after so many ms; undefined never. */
  readonly stopAfterMs: number | undefined;
  readonly timeoutMs: number | undefined;
  /** The answer must be this; undefined does not check. */
  readonly expectedOutput: string | undefined;
  readonly verbose: boolean;
  /** Prints each answer as one line of JSON. */
  readonly isJson: boolean;
}

export interface ClientTerminal {
  out(text: string): void;
  error(text: string): void;
}

/** @returns the exit status: 1 when an answer is not the expected one or the server reported an error. */
export async function runClientCommand(
  command: ClientCommand,
  client: TextClient,
  terminal: ClientTerminal,
): Promise<0 | 1> {
  const runs = Array.from({ length: command.concurrency }, (_, index) =>
    runOne(command, client, terminal, index),
  );
  const results = await Promise.all(runs);
  return results.every((isGood) => isGood) ? 0 : 1;
}

async function runOne(
  command: ClientCommand,
  client: TextClient,
  terminal: ClientTerminal,
  index: number,
): Promise<boolean> {
  const isOnly = command.concurrency === 1;
  // Several answers at once would be torn into each other: they are printed whole.
  const hasOneText = (command.request.sequenceCount ?? 1) === 1 && (command.request.beamWidth ?? 1) === 1;
  const isShownAtOnce = isOnly && hasOneText && !command.isJson;
  const stop = timerSignal(command.stopAfterMs);
  const timeout = timerSignal(command.timeoutMs);
  const signal = AbortSignal.any([stop.signal, timeout.signal]);
  const id = command.request.id;
  const request = isOnly || id === undefined ? command.request : { ...command.request, id: `${id}-${index}` };
  const answer = new Answer();
  const startMs = performance.now();
  try {
    for await (const piece of client.generate(request, { signal })) {
      answer.add(piece, performance.now());
      if (isShownAtOnce) terminal.out(piece.text);
    }
    if (command.isJson) {
      terminal.out(`${JSON.stringify({ request: index, ...answer.plain(startMs) })}\n`);
      return checkOutput(command, answer, {
        out: (text) => terminal.error(text),
        error: (text) => terminal.error(text),
      });
    }
    if (isShownAtOnce) terminal.out('\n');
    else for (const [name, text] of answer.named(index, isOnly)) terminal.out(`[${name}] ${text}\n`);
    if (command.request.returnLogProbs)
      terminal.out(`output_log_probs = ${JSON.stringify(answer.logProbs)}\n`);
    if (command.verbose) terminal.error(answer.timing(startMs));
    return checkOutput(command, answer, terminal);
  } catch (error) {
    if (stop.signal.aborted) {
      terminal.out(`\nGot cancellation response from server\n`);
      return true;
    }
    const reason = timeout.signal.aborted
      ? `no complete answer within ${command.timeoutMs} ms`
      : errorMessage(error);
    terminal.error(`Received an error from server:\n${reason}\n`);
    return false;
  } finally {
    stop.clear();
    timeout.clear();
  }
}

/** Collects the pieces of one answer. */
class Answer {
  readonly #texts = new Map<number, string>();
  #firstMs: number | undefined;
  #lastMs = 0;
  #pieceCount = 0;
  readonly logProbs: number[] = [];

  get text(): string {
    return this.#texts.get(0) ?? '';
  }

  /** Text of each sequence with its name: the request's number, the sequence's, or both. */
  named(index: number, isOnly: boolean): [string, string][] {
    return [...this.#texts].map(([sequence, text]) => {
      if (isOnly) return [String(sequence), text];
      return [this.#texts.size === 1 ? String(index) : `${index}.${sequence}`, text];
    });
  }

  add(piece: TextPiece, nowMs: number): void {
    this.#texts.set(piece.sequence, (this.#texts.get(piece.sequence) ?? '') + piece.text);
    this.logProbs.push(...piece.logProbs);
    this.#firstMs ??= nowMs;
    this.#lastMs = nowMs;
    this.#pieceCount++;
  }

  plain(startMs: number): object {
    return {
      texts: [...this.#texts.values()],
      ...(this.logProbs.length > 0 ? { logProbs: this.logProbs } : {}),
      durations: { firstResponseMs: (this.#firstMs ?? startMs) - startMs, wholeMs: this.#lastMs - startMs },
    };
  }

  timing(startMs: number): string {
    const first = ((this.#firstMs ?? startMs) - startMs).toFixed(1);
    const total = (this.#lastMs - startMs).toFixed(1);
    return `first response after ${first} ms, ${this.#pieceCount} responses in ${total} ms\n`;
  }
}

function checkOutput({ expectedOutput }: ClientCommand, answer: Answer, terminal: ClientTerminal): boolean {
  if (expectedOutput === undefined) return true;
  const isRight = answer.text === expectedOutput;
  terminal.out(`expected_output = ${expectedOutput}\n=====\n${isRight ? 'PASS!' : 'FAIL!'}\n=====\n`);
  return isRight;
}

function timerSignal(ms: number | undefined): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const timer = ms === undefined ? undefined : setTimeout(() => controller.abort(), ms);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

/** Text to print for a failed call. */
export function errorMessage(error: unknown): string {
  if (error instanceof AloftError) return `${error.message} [${error.code}]`;
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
