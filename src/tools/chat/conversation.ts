/** A conversation: what was said, with which settings, and the figures of the last answer. */
import { readFileSync, writeFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import { writingFile } from '../../core/file-fault.js';
import type { ChatMessage } from '../../core/generate.js';
import { jsonText } from '../cli/terminal.js';
import type { ChatModel, ChatReply } from './chat-model.js';
import type { ChatSettings } from './settings.js';

/** Figures of an answer. */
interface AnswerStats extends ChatReply {
  readonly firstPieceMs: number;
  readonly totalMs: number;
}

export class Conversation {
  readonly model: ChatModel;
  settings: ChatSettings;
  system: string | undefined;
  #messages: ChatMessage[] = [];
  #last: AnswerStats | undefined;

  constructor(model: ChatModel, settings: ChatSettings, system: string | undefined) {
    this.model = model;
    this.settings = settings;
    this.system = system;
  }

  /** Messages as the model gets them, the system's first. */
  get messages(): readonly ChatMessage[] {
    const { system } = this;
    return system === undefined ? this.#messages : [{ role: 'system', content: system }, ...this.#messages];
  }

  /** Figures of the last answer that ended by itself. */
  get last(): AnswerStats | undefined {
    return this.#last;
  }

  /**
   * Sends a message and passes the answer on in pieces. What was answered before `signal` stopped it stays in the
   * conversation, as the reader has seen it; a message whose request fails is taken back.
   * @throws {AloftError} the request's own error
   */
  async ask(content: string, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
    const startMs = performance.now();
    let firstPieceMs = 0;
    let text = '';
    const question = { role: 'user', content };
    const pieces = this.model.answer([...this.messages, question], this.settings, signal);
    try {
      for (;;) {
        const { done, value } = await pieces.next();
        if (done) {
          this.#last = { ...value, firstPieceMs, totalMs: performance.now() - startMs };
          break;
        }
        if (text === '') firstPieceMs = performance.now() - startMs;
        text += value;
        onText(value);
      }
    } catch (fault) {
      if (!signal.aborted) throw fault;
    }
    this.#messages.push(question, { role: 'assistant', content: text });
  }

  /** Forgets what was said; system prompt and settings stay. */
  clear(): void {
    this.#messages = [];
    this.#last = undefined;
  }

  /** @throws {AloftError} OUTPUT_FAILED */
  save(path: string): void {
    const { settings, messages } = this;
    const text = jsonText({ model: this.model.name, settings, messages });
    writingFile(path, () => writeFileSync(path, text));
  }

  /** @throws {AloftError} USAGE for a file that holds no conversation */
  load(path: string): void {
    const saved = parseSaved(readFileSync(path, 'utf8'), path);
    const [first, ...rest] = saved.messages;
    const hasSystem = first?.role === 'system' && first.content !== null;
    this.system = hasSystem ? first.content : undefined;
    this.#messages = hasSystem ? rest : [...saved.messages];
    this.settings = saved.settings;
    this.#last = undefined;
  }
}

interface SavedConversation {
  readonly settings: ChatSettings;
  readonly messages: readonly ChatMessage[];
}

function parseSaved(text: string, path: string): SavedConversation {
  const wrong = (cause?: unknown) =>
    new AloftError('USAGE', `${path} holds no conversation that /save wrote; name one that does.`, { cause });
  let saved: Partial<SavedConversation> | null;
  try {
    saved = JSON.parse(text) as Partial<SavedConversation> | null;
  } catch (cause) {
    throw wrong(cause);
  }
  const isMessage = ({ role, content }: ChatMessage): boolean =>
    typeof role === 'string' && (content === null || typeof content === 'string');
  if (!Array.isArray(saved?.messages) || !saved.messages.every(isMessage)) throw wrong();
  return { messages: saved.messages as readonly ChatMessage[], settings: saved.settings ?? {} };
}
