/** Items of the Responses interface as messages that chat templates know. */
import { type Static, Type } from 'typebox';
import type { ChatMessage } from '../../../core/generate.js';
import { REQUEST_LIMITS } from '../../../core/request-limits.js';
import { customCall } from '../custom-tools.js';
import { OpenAiRequestError } from '../error.js';
import { requireContent } from '../message-content.js';
import { optional } from '../optional.js';
import type { OutputItem } from './output.js';

const PART = Type.Object({ type: Type.String(), text: optional(Type.String()) });
const CONTENT = Type.Union([Type.String(), Type.Array(PART, { maxItems: REQUEST_LIMITS.contentParts.max })]);

export const INPUT_ITEM = Type.Object({
  type: optional(Type.String()),
  id: optional(Type.String()),
  role: optional(Type.Enum(['user', 'assistant', 'system', 'developer'])),
  content: optional(CONTENT),
  call_id: optional(Type.String()),
  name: optional(Type.String()),
  arguments: optional(Type.String()),
  input: optional(Type.String()),
  output: optional(CONTENT),
});

type Item = Static<typeof INPUT_ITEM>;
type Content = Static<typeof CONTENT>;

const TEXT_PARTS: ReadonlySet<string> = new Set(['input_text', 'output_text', 'text', 'reasoning_text']);

/**
 * @param itemOf item of an earlier response that is named by its id; absent where none can be
 * @throws {OpenAiRequestError} for an item that is no message, call, result or thought
 */
export function itemMessages(
  input: string | readonly Item[],
  itemOf?: (id: string) => OutputItem,
): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const turns = new Turns();
  for (const [i, item] of input.entries())
    turns.add(itemOf !== undefined && isReference(item) ? itemOf(item.id) : item, `input.${i}`);
  return turns.messages();
}

/** Clients may leave the type of a reference out. */
function isReference(item: Item): item is Item & { readonly id: string } {
  if (typeof item.id !== 'string') return false;
  return item.type === 'item_reference' || (!item.type && !item.role);
}

/** A message of the model while its items come one by one: thought, text, calls. */
interface ModelTurn {
  thought: string;
  text: string | undefined;
  readonly calls: object[];
}

class Turns {
  readonly #messages: ChatMessage[] = [];
  #turn: ModelTurn | undefined;

  add(item: Item, path: string): void {
    const type = item.type ?? 'message';
    if (type === 'message') this.#message(item, path);
    else if (type === 'function_call') this.#call(item);
    else if (type === 'custom_tool_call') this.#customCall(item, path);
    else if (type === 'function_call_output' || type === 'custom_tool_call_output') this.#result(item, path);
    else if (type === 'reasoning') this.#thought(item, path);
    else {
      const message = `'${path}' is of type '${type}', which is not supported here; only messages, calls of functions and custom tools, their outputs and reasoning are read.`;
      throw new OpenAiRequestError(path, message, 'UNSUPPORTED');
    }
  }

  messages(): ChatMessage[] {
    this.#endTurn();
    return this.#messages;
  }

  #message({ role, content }: Item, path: string): void {
    if (!role) throw new OpenAiRequestError(`${path}.role`, `'${path}' lacks 'role'.`);
    requireContent(role, content, `${path}.content`);
    const text = textOf(content ?? '', `${path}.content`);
    if (role !== 'assistant') {
      this.#endTurn();
      this.#messages.push({ role: role === 'developer' ? 'system' : role, content: text });
      return;
    }
    if (this.#turn?.text !== undefined || this.#turn?.calls.length) this.#endTurn();
    this.#openTurn().text = text;
  }

  #call({ call_id: id, name, arguments: args }: Item): void {
    const call = {
      id: id ?? '',
      type: 'function',
      function: { name: name ?? '', arguments: args ?? '{}' },
    };
    this.#openTurn().calls.push(call);
  }

  #customCall({ call_id: id, name, input }: Item, path: string): void {
    for (const [member, value] of Object.entries({ name, input }))
      if (typeof value !== 'string')
        throw new OpenAiRequestError(`${path}.${member}`, `'${path}' lacks '${member}'.`);
    this.#openTurn().calls.push(customCall(id ?? '', name!, input!));
  }

  #result({ call_id: id, output }: Item, path: string): void {
    this.#endTurn();
    const content = textOf(output ?? '', `${path}.output`);
    this.#messages.push({ role: 'tool', tool_call_id: id ?? '', content });
  }

  #thought({ content }: Item, path: string): void {
    if (this.#turn?.text !== undefined || this.#turn?.calls.length) this.#endTurn();
    this.#openTurn().thought += textOf(content ?? '', `${path}.content`);
  }

  #openTurn(): ModelTurn {
    return (this.#turn ??= { thought: '', text: undefined, calls: [] });
  }

  #endTurn(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (turn === undefined) return;
    this.#messages.push({
      role: 'assistant',
      content: turn.text ?? (turn.calls.length > 0 ? null : ''),
      ...(turn.thought === '' ? {} : { reasoning_content: turn.thought }),
      ...(turn.calls.length === 0 ? {} : { tool_calls: turn.calls }),
    });
  }
}

function textOf(content: Content, path: string): string {
  if (typeof content === 'string') return content;
  return content
    .map(({ type, text }, i) => {
      if (TEXT_PARTS.has(type)) return text ?? '';
      const message = `'${path}.${i}' is of type '${type}', which is not supported here; only text is read.`;
      throw new OpenAiRequestError(`${path}.${i}`, message, 'UNSUPPORTED');
    })
    .join('');
}
