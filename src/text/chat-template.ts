/** Turns chat messages into the prompt text that a model was trained on. */
import { AloftError } from '../core/errors.js';
import type { ChatMessage } from '../core/generate.js';
import { formsOf, type MessageForm, shapeMessages } from './chat-messages.js';
import { PythonError } from './jinja/python-error.js';
import { type Rendered, Template } from './jinja/template.js';
import type { SpecialTokens } from './tokenizer/special-tokens.js';

export const DEFAULT_TEMPLATE = 'default';
const WITH_TOOLS = 'tool_use';

type Variables = Readonly<Record<string, unknown>>;

/**
 * The chat templates of one model, compiled once. A model may have several by name; `tool_use` is taken when a request has
 * tools, and the template argument `chat_template` asks for one by its name.
 */
export class ChatTemplate {
  readonly #templates: ReadonlyMap<string, Template>;
  readonly #specialTokens: SpecialTokens;
  /** Source of the template for requests with tools. */
  readonly toolSource: string;

  /** @throws {AloftError} TOKENIZER_INVALID when a template cannot be parsed; `origin` is named in the message. */
  constructor(sources: ReadonlyMap<string, string>, specialTokens: SpecialTokens, origin: string) {
    this.#templates = new Map([...sources].map(([name, source]) => [name, parse(source, name, origin)]));
    this.#specialTokens = specialTokens;
    this.toolSource = sources.get(WITH_TOOLS) ?? sources.get(DEFAULT_TEMPLATE) ?? '';
  }

  /**
   * The prompt, control tokens included: encode it without adding others. The template sees the messages, the special
   * tokens, `add_generation_prompt` (true unless given) and `templateArguments`. With `continue_final_message` the prompt
   * ends within the last message.
   * @throws {AloftError} REQUEST_INVALID when the template refuses the messages, or needs too much for them.
   */
  render(messages: readonly ChatMessage[], templateArguments: Variables): string {
    const { chat_template: name, continue_final_message: continues, ...given } = templateArguments;
    const template = this.#choose(name, given['tools']);
    const variables = {
      add_generation_prompt: continues !== true,
      // As transformers does: templates test `tools is none` as well as `tools is defined`.
      tools: null,
      documents: null,
      ...given,
      ...this.#specialTokens,
    };
    const text = rendered(new MessageRendering(template, variables, messages));
    return continues === true ? withoutEnd(text, messages.at(-1)?.content ?? '') : text;
  }

  #choose(name: unknown, tools: unknown): Template {
    const hasTools = Array.isArray(tools) && tools.length > 0 && this.#templates.has(WITH_TOOLS);
    const wanted = typeof name === 'string' ? name : hasTools ? WITH_TOOLS : DEFAULT_TEMPLATE;
    const template = this.#templates.get(wanted);
    if (template) return template;
    const known = [...this.#templates.keys()].join(', ');
    throw new AloftError(
      'REQUEST_INVALID',
      `The model has no chat template named "${wanted}"; it has: ${known}.`,
    );
  }
}

/** @throws {AloftError} REQUEST_INVALID */
function rendered(rendering: MessageRendering): string {
  try {
    return rendering.run();
  } catch (cause) {
    throw cause instanceof PythonError ? refusal(cause) : cause;
  }
}

/** Cuts a prompt behind the last message's content, as transformers does: the output continues it. @throws {AloftError} REQUEST_INVALID */
function withoutEnd(text: string, content: string): string {
  const start = content.trim() === '' ? -1 : text.lastIndexOf(content.trim());
  if (start < 0)
    throw new AloftError(
      'REQUEST_INVALID',
      'continue_final_message needs a last message whose content is text, and a chat template that shows it; send one, or leave continue_final_message out.',
    );
  // Spaces at the content's end stay where the template keeps them.
  const whole = start + content.trimStart().length;
  return text.slice(start, whole) === content.trimStart()
    ? text.slice(0, whole)
    : text.slice(0, start + content.trim().length);
}

/** Finds the form of the messages that a template expects, by rendering. */
class MessageRendering {
  readonly #template: Template;
  readonly #variables: Variables;
  readonly #messages: readonly ChatMessage[];

  constructor(template: Template, variables: Variables, messages: readonly ChatMessage[]) {
    this.#template = template;
    this.#variables = variables;
    this.#messages = messages;
  }

  /** @throws {PythonError} when all forms fail: the template's own words, if it had any, else the error of the first form */
  run(): string {
    let error: PythonError | undefined;
    let fallback: string | undefined;
    for (const form of formsOf(this.#messages)) {
      try {
        const rendered = this.#render(form);
        if (!isMisshapen(rendered)) return this.#withParts(form, rendered);
        fallback ??= rendered.text;
      } catch (cause) {
        if (!(cause instanceof PythonError)) throw cause;
        if (error === undefined || (!isOwnWords(error) && isOwnWords(cause))) error = cause;
      }
    }
    if (fallback === undefined) throw error;
    return fallback;
  }

  #render(form: MessageForm): Rendered {
    const { messages, watched } = shapeMessages(this.#messages, form);
    return this.#template.render({ ...this.#variables, messages }, { watched });
  }

  /** Content as a list of parts, where the template walked over a text as if it were one. */
  #withParts(form: MessageForm, rendered: Rendered): string {
    if (!rendered.hasWalkedText) return rendered.text;
    try {
      const inParts = this.#render({ ...form, content: 'parts' });
      return isMisshapen(inParts) ? rendered.text : inParts.text;
    } catch (cause) {
      if (cause instanceof PythonError) return rendered.text;
      throw cause;
    }
  }
}

/** Whether a value of the messages became text in Python's notation, which no model was trained on. */
const isMisshapen = ({ hasPrintedNone, hasPrintedWatched }: Rendered): boolean =>
  hasPrintedNone || hasPrintedWatched;

/** Whether the template itself refused the messages, rather than broke on them. */
const isOwnWords = ({ type }: PythonError): boolean => type === 'TemplateError';

/** The template's own words as they are; other errors with their line. */
function refusal(cause: PythonError): AloftError {
  const reason = cause.message.replace(/\.$/, '');
  const place = isOwnWords(cause) ? '' : ` (${cause.type} in line ${cause.line})`;
  return new AloftError(
    'REQUEST_INVALID',
    `The model's chat template does not accept these messages: ${reason}${place}.`,
    { cause },
  );
}

/** Published templates have a twentieth of it; parsing more keeps everybody waiting. */
const MAX_TEMPLATE_CHARACTERS = 256 * 1024;

function parse(source: string, name: string, origin: string): Template {
  if (source.length > MAX_TEMPLATE_CHARACTERS)
    throw new AloftError(
      'TOKENIZER_INVALID',
      `The chat template "${name}" in ${origin} has ${source.length} characters, and ${MAX_TEMPLATE_CHARACTERS} are read at most; correct or remove it.`,
    );
  try {
    return new Template(source);
  } catch (cause) {
    const { message, line } = cause as PythonError;
    throw new AloftError(
      'TOKENIZER_INVALID',
      `The chat template "${name}" in ${origin} cannot be parsed (line ${line}: ${message}); correct or remove it.`,
      { cause },
    );
  }
}
