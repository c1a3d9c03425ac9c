/** Turns chat messages into the prompt text that a model was trained on. */
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { AloftError } from '../core/errors.js';
import type { ChatMessage } from '../core/generate.js';
import { readFileIfPresent, readJsonIfPresent } from './tokenizer/files.js';
import { isRecord } from './tokenizer/hf-json.js';
import { equalityFunction, rewriteEquality } from './template-equality.js';
import type { SpecialTokens } from './tokenizer/special-tokens.js';

const DEFAULT = 'default';
const WITH_TOOLS = 'tool_use';

/**
 * The chat templates of one model, parsed once. A model may have several by name; `tool_use` is taken when a request has
 * tools, and the template argument `chat_template` asks for one by its name.
 */
export class ChatTemplate {
  readonly #templates: ReadonlyMap<string, Template>;
  readonly #specialTokens: SpecialTokens;

  /** @throws {AloftError} TOKENIZER_INVALID when a template cannot be parsed; `origin` is named in the message. */
  constructor(sources: ReadonlyMap<string, string>, specialTokens: SpecialTokens, origin: string) {
    this.#templates = new Map([...sources].map(([name, source]) => [name, parse(source, name, origin)]));
    this.#specialTokens = specialTokens;
  }

  /**
   * The prompt, control tokens included: encode it without adding others. The template sees the messages, the special
   * tokens, `add_generation_prompt` (true unless given) and `templateArguments`.
   * @throws {AloftError} REQUEST_INVALID when the template refuses the messages.
   */
  render(messages: readonly ChatMessage[], templateArguments: Readonly<Record<string, unknown>>): string {
    const { chat_template: name, ...variables } = templateArguments;
    const template = this.#choose(name, variables['tools']);
    try {
      return template.render({
        add_generation_prompt: true,
        // As transformers does: templates test `tools is none` as well as `tools is defined`.
        tools: null,
        documents: null,
        ...variables,
        ...this.#specialTokens,
        ...equalityFunction(),
        messages,
      });
    } catch (cause) {
      const reason = (cause as Error).message.replace(/\.$/, '');
      throw new AloftError(
        'REQUEST_INVALID',
        `The model's chat template does not accept these messages: ${reason}.`,
        {
          cause,
        },
      );
    }
  }

  #choose(name: unknown, tools: unknown): Template {
    const hasTools = Array.isArray(tools) && tools.length > 0 && this.#templates.has(WITH_TOOLS);
    const wanted = typeof name === 'string' ? name : hasTools ? WITH_TOOLS : DEFAULT;
    const template = this.#templates.get(wanted);
    if (template) return template;
    const known = [...this.#templates.keys()].join(', ');
    throw new AloftError(
      'REQUEST_INVALID',
      `The model has no chat template named "${wanted}"; it has: ${known}.`,
    );
  }
}

/**
 * Reads `chat_template.jinja`, else `chat_template.json`, else the `chat_template` of `tokenizer_config.json`.
 * Undefined when the model has none.
 * @throws {AloftError} TOKENIZER_INVALID
 */
export async function loadChatTemplate(
  directory: string,
  specialTokens: SpecialTokens,
): Promise<ChatTemplate | undefined> {
  const jinja = await readFileIfPresent(join(directory, 'chat_template.jinja'));
  const entry =
    jinja?.toString('utf8') ??
    (await readJsonIfPresent(directory, 'chat_template.json'))['chat_template'] ??
    (await readJsonIfPresent(directory, 'tokenizer_config.json'))['chat_template'];
  const sources = templateSources(entry);
  return sources.size > 0 ? new ChatTemplate(sources, specialTokens, directory) : undefined;
}

/** A template alone, `{ name: template }`, or a list of `{ name, template }`. */
function templateSources(entry: unknown): Map<string, string> {
  if (typeof entry === 'string') return new Map([[DEFAULT, entry]]);
  const pairs = Array.isArray(entry)
    ? entry.filter(isRecord).map((item) => [item['name'], item['template']])
    : Object.entries(isRecord(entry) ? entry : {});
  return new Map(
    pairs.filter((pair): pair is [string, string] => pair.every((part) => typeof part === 'string')),
  );
}

function parse(source: string, name: string, origin: string): Template {
  try {
    const template = new Template(source);
    rewriteEquality(template);
    return template;
  } catch (cause) {
    throw new AloftError(
      'TOKENIZER_INVALID',
      `The chat template "${name}" in ${origin} cannot be parsed (${(cause as Error).message}); correct or remove it.`,
      { cause },
    );
  }
}
