/** A conversation that keeps its history. */
import type { ChatMessage } from '../core/generate.js';
import type { GenerateInput, RequestOptions } from './input.js';

/** Settings of a conversation. */
export interface SessionOptions extends RequestOptions {
  /** First message, which says how the model answers. */
  readonly system?: string;
}

/** The part of an engine that a conversation uses. */
interface TextStreamer {
  stream(input: GenerateInput, signal?: AbortSignal): AsyncIterable<string>;
}

/** A conversation: each answer is given with all that was said before. Made by `LLM.session`. */
export class Session {
  readonly #llm: TextStreamer;
  readonly #options: RequestOptions;
  #messages: ChatMessage[];

  /** @param llm engine that answers */
  constructor(llm: TextStreamer, { system, ...options }: SessionOptions = {}) {
    this.#llm = llm;
    this.#options = options;
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  /** Messages so far, the system's first. */
  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /**
   * Streams the text of the answer. An answer that is left early is kept as far as it came; one that fails leaves the history as
   * it was.
   * @throws {AloftError} with the request's own code when it failed
   */
  async *ask(text: string, signal?: AbortSignal): AsyncGenerator<string, void, void> {
    const messages = [...this.#messages, { role: 'user', content: text }];
    let answer = '';
    let hasFailed = false;
    try {
      for await (const piece of this.#llm.stream(
        { ...this.#options, prompt: { type: 'chat', messages } },
        signal,
      )) {
        answer += piece;
        yield piece;
      }
    } catch (fault) {
      hasFailed = true;
      throw fault;
    } finally {
      if (!hasFailed) this.#messages = [...messages, { role: 'assistant', content: answer }];
    }
  }
}
