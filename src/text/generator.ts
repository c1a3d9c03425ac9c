/** Text requests over a batcher that knows only tokens. */
import { type Clock, SYSTEM_CLOCK } from '../core/clock.js';
import type { TokenConstraint } from '../core/constraint.js';
import { AloftError, reportError } from '../core/errors.js';
import type {
  EventGenerator,
  GenerateEvent,
  GenerateFailedEvent,
  GenerateRequest,
  Generator,
  ModelCard,
  Prompt,
} from '../core/generate.js';
import type { TokenCourse } from '../core/course.js';
import type { RequestId } from '../core/ids.js';
import type { TokenRequest } from '../core/request.js';
import type { TokenBatcher } from '../core/token-batcher.js';
import type { ChatTemplate } from './chat-template.js';
import { ControlTokens } from './control-tokens.js';
import { asTokenWork } from './embedding.js';
import { iterateEvents } from './event-stream.js';
import type { GenerationDefaults } from './generation-config.js';
import { compileCourse } from './course-compiler.js';
import { ShownConstraints } from './shown-constraints.js';
import { fitText } from './request/lengths.js';
import { checkNumber, checkWords } from './request/ranges.js';
import { toTokenRequest } from './request/token-request.js';
import { TextRun } from './text-run.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';
import { Turns } from './turns.js';

export interface TextGeneratorParts {
  readonly model: ModelCard;
  readonly batcher: TokenBatcher;
  readonly tokenizer: Tokenizer;
  /** Undefined: the model has none, and chat prompts are refused. */
  readonly chatTemplate: ChatTemplate | undefined;
  /** Used where a request leaves a parameter out. */
  readonly defaults: GenerationDefaults;
  /** Times requests that are refused before the batcher sees them. */
  readonly clock?: Clock;
}

/** Length of a text that takes the tokenizer some milliseconds, characters. */
const LONG_TEXT_CHARACTERS = 32_768;
/** Half of the threads that Node has for such work. */
const LONG_TEXTS_AT_A_TIME = 2;
/** Bad words that are tokenised at the same time. */
const WORDS_AT_A_TIME = 8;

/** Answers text requests: template, tokenizer, checks, batcher, detokenizer, stop strings. */
export class TextGenerator implements EventGenerator, Generator {
  readonly #parts: TextGeneratorParts;
  readonly #constraints: ShownConstraints;
  /** Turns of long texts: they must not take all threads of the tokenizer from short ones. */
  readonly #longTexts = new Turns(LONG_TEXTS_AT_A_TIME);

  readonly #controlTokens: ControlTokens;

  constructor(parts: TextGeneratorParts) {
    this.#parts = parts;
    this.#constraints = new ShownConstraints(parts.tokenizer.table, parts.batcher.limits.vocabulary);
    this.#controlTokens = new ControlTokens(parts.tokenizer);
  }

  get model(): ModelCard {
    return this.#parts.model;
  }

  /** A request that is refused or cancelled ends with a `failed` event, never with an exception. */
  generate(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<GenerateEvent> {
    return iterateEvents(this, request, signal);
  }

  start(request: GenerateRequest, onEvent: (event: GenerateEvent) => void): () => void {
    const call: Call = {
      request,
      id: crypto.randomUUID() as string as RequestId,
      onEvent,
      isCancelled: false,
    };
    const submittedMs = this.#nowMs();
    this.#submit(call).catch((thrown: unknown) => onEvent(this.#refusal(thrown, submittedMs)));
    return () => {
      call.isCancelled = true;
      this.#parts.batcher.cancel(call.id);
    };
  }

  async tokenize(prompt: Prompt): Promise<readonly number[]> {
    const id = crypto.randomUUID() as string as RequestId;
    return await this.#encodePrompt(prompt, {
      request: { prompt },
      id,
      onEvent: () => undefined,
      isCancelled: false,
    });
  }

  async #submit(call: Call): Promise<void> {
    call.request = asTokenWork(call.request, this.model);
    const { request, id, onEvent } = call;
    const tokens = await this.#toTokens(call);
    requireWanted(call);
    const run = new TextRun(request, tokens, this.#parts.tokenizer, this.model.embedding);
    const { seed } = tokens.sampling;
    onEvent({ type: 'started', id: request.id ?? id, promptTokenIds: [...tokens.promptTokenIds], seed });
    if (request.echo) for (const event of run.echo()) onEvent(event);
    else if (request.continuesPrompt) run.follow();
    const onTokenResult = (made: GenerateEvent): void => {
      onEvent(made);
      // The text is complete, which the batcher cannot know.
      if (made.type === 'sequence') this.#parts.batcher.endSequence(id, made.sequence);
    };
    this.#parts.batcher.submit(tokens, (event) =>
      run.accept(event, event.type === 'token' ? onTokenResult : onEvent),
    );
  }

  async #toTokens(call: Call): Promise<TokenRequest> {
    const { request, id } = call;
    const { batcher, defaults } = this.#parts;
    checkWords(request);
    checkNumber('truncatePromptTokens', request.truncatePromptTokens, { isInteger: true, min: 1 });
    const promptTokenIds = await this.#encodePrompt(request.prompt, call);
    const badWords = await this.#encodeBadWords(request.badWords ?? []);
    const constraint = await this.#compileConstraint(request);
    const course = await this.#compileCourse(call, promptTokenIds);
    // Every client can read this many bits from JSON.
    const randomSeed = BigInt.asUintN(53, crypto.getRandomValues(new BigUint64Array(1))[0]!);
    return toTokenRequest(
      request,
      { id, promptTokenIds, badWords, randomSeed, constraint, course },
      { limits: batcher.limits, defaults },
    );
  }

  async #compileConstraint(request: GenerateRequest): Promise<TokenConstraint | undefined> {
    const { constraint, echo = false, continuesPrompt = false } = request;
    return constraint && this.#constraints.of(request).compile(constraint, echo || continuesPrompt);
  }

  async #compileCourse(call: Call, promptTokenIds: readonly number[]): Promise<TokenCourse | undefined> {
    const { course } = call.request;
    if (course === undefined) return undefined;
    const constraints = this.#constraints.of(call.request);
    const requireIsWanted = (): void => requireWanted(call);
    return await compileCourse(course, {
      tokenizer: this.#parts.tokenizer,
      constraints,
      promptTokenIds,
      requireWanted: requireIsWanted,
    });
  }

  async #encodePrompt(prompt: Prompt, call: Call): Promise<readonly number[]> {
    const { chatTemplate, model } = this.#parts;
    switch (prompt.type) {
      case 'tokens':
        return prompt.tokenIds;
      case 'text':
        return this.#encodeText(prompt.text, prompt.addSpecialTokens, call);
      case 'chat': {
        if (!chatTemplate)
          throw new AloftError(
            'REQUEST_INVALID',
            `The model ${model.name} has no chat template; send the prompt as text, or put chat_template.jinja beside its tokenizer.`,
          );
        // The template writes the special tokens itself.
        const { messages, templateArguments } = this.#controlTokens.hide(prompt);
        const text = this.#fitText(chatTemplate.render(messages, templateArguments), call);
        return this.#controlTokens.encode(text, (part) => this.#encodeText(part, false, call));
      }
    }
  }

  /** @throws {AloftError} PROMPT_TOO_LONG */
  #fitText(text: string, { request }: Call): string {
    const { tokenizer, batcher } = this.#parts;
    return fitText(text, request, batcher.limits, tokenizer.table.longestTokenBytes);
  }

  async #encodeText(text: string, addSpecialTokens: boolean, call: Call): Promise<readonly number[]> {
    const { tokenizer } = this.#parts;
    const fitting = this.#fitText(text, call);
    if (fitting.length <= LONG_TEXT_CHARACTERS) return tokenizer.encode(fitting, { addSpecialTokens });
    return this.#longTexts.take(() => {
      requireWanted(call);
      return tokenizer.encode(fitting, { addSpecialTokens });
    });
  }

  /** A word is forbidden at the start of a word and inside one: its tokens differ by the leading space. */
  async #encodeBadWords(words: readonly string[]): Promise<number[][]> {
    const forms = [...new Set(words.flatMap((word) => [word, ` ${word}`]))];
    const lists: number[][] = [];
    for (let i = 0; i < forms.length; i += WORDS_AT_A_TIME) {
      const group = forms.slice(i, i + WORDS_AT_A_TIME);
      lists.push(...(await Promise.all(group.map((form) => this.#parts.tokenizer.encodeFragment(form)))));
    }
    return lists;
  }

  /** The only event of a request that the batcher never saw. */
  #refusal(thrown: unknown, submittedMs: number): GenerateFailedEvent {
    const finishedMs = this.#nowMs();
    return {
      type: 'failed',
      error: reportError(thrown),
      usage: { promptTokens: 0, cachedPromptTokens: 0, outputTokens: 0 },
      timings: { submittedMs, scheduledMs: undefined, firstTokenMs: undefined, finishedMs },
    };
  }

  #nowMs(): number {
    return (this.#parts.clock ?? SYSTEM_CLOCK).nowMs();
  }
}

/** A request with its reader. */
interface Call {
  request: GenerateRequest;
  readonly id: RequestId;
  readonly onEvent: (event: GenerateEvent) => void;
  isCancelled: boolean;
}

/** @throws {AloftError} CANCELLED */
function requireWanted({ isCancelled }: Call): void {
  if (isCancelled) throw new AloftError('CANCELLED', 'The request was cancelled before it started.');
}
