/** Collects the parts of an answer: spaces around thoughts and calls belong to no part. */
import type { AnswerPart, Tool } from '../../core/conversation.js';
import { InputText } from './input-text.js';

export interface PartsOptions {
  readonly tools: readonly Tool[];
  /** Makes the id of a call. */
  readonly callId: () => string;
  /** Calls beyond so many are left out. */
  readonly maxCalls: number;
}

export class AnswerParts {
  hasThought = false;
  readonly #options: PartsOptions;
  #parts: AnswerPart[] = [];
  #callCount = 0;
  /** True while the call at hand is one too many. */
  #isDropping = false;
  /** Reads the input of the call at hand; undefined for functions. */
  #input: InputText | undefined;
  /** Spaces that belong to a text only if it goes on. */
  #heldSpace = '';
  #heldType: 'text' | 'thought' = 'text';
  /** Whether the next text begins behind a thought or a call, or a thought at its start. */
  #isAtStart = false;

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  /** Calls so far. */
  get callCount(): number {
    return Math.min(this.#callCount, this.#options.maxCalls);
  }

  readonly text = (text: string): void => this.#add('text', text);
  readonly thought = (text: string): void => this.#add('thought', text);

  /** A thought begins or ends here, or a call: spaces around it say nothing. */
  turn(): void {
    this.#heldSpace = '';
    this.#isAtStart = true;
  }

  call(name: string): void {
    this.turn();
    this.#isDropping = ++this.#callCount > this.#options.maxCalls;
    const isCustom = this.#options.tools.some((tool) => tool.name === name && tool.input !== undefined);
    this.#input = isCustom ? new InputText() : undefined;
    if (this.#isDropping) return;
    const call = { type: 'call', call: this.#callCount - 1, id: this.#options.callId(), name } as const;
    this.#parts.push(isCustom ? { ...call, isCustom } : call);
  }

  readonly arguments = (json: string): void => {
    if (this.#input === undefined) this.#addToCall('arguments', json);
    else this.#addToCall('input', this.#input.push(json));
  };

  callEnd(): void {
    if (this.#input !== undefined) this.#addToCall('input', this.#input.end());
    if (!this.#isDropping) this.#parts.push({ type: 'call-end', call: this.#callCount - 1 });
  }

  /** The answer is over: spaces at its end are a part of a text without calls. */
  end(): void {
    if (this.#heldSpace !== '' && this.#heldType === 'text') this.#push('text', this.#heldSpace);
    this.#heldSpace = '';
  }

  /** Parts since the last time. */
  take(): AnswerPart[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  #addToCall(type: 'arguments' | 'input', text: string): void {
    if (this.#isDropping || text === '') return;
    const last = this.#parts.at(-1);
    if (last?.type === type) this.#parts[this.#parts.length - 1] = { ...last, text: last.text + text };
    else this.#parts.push({ type, call: this.#callCount - 1, text });
  }

  #add(type: 'text' | 'thought', text: string): void {
    const given = this.#isAtStart ? text.trimStart() : text;
    if (given === '') return;
    this.#isAtStart = false;
    const body = given.trimEnd();
    this.#heldType = type;
    if (body === '') {
      this.#heldSpace += given;
      return;
    }
    this.#push(type, this.#heldSpace + body);
    this.#heldSpace = given.slice(body.length);
  }

  #push(type: 'text' | 'thought', text: string): void {
    const last = this.#parts.at(-1);
    if (last?.type === type) this.#parts[this.#parts.length - 1] = { type, text: last.text + text };
    else this.#parts.push({ type, text });
  }
}
