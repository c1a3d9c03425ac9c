/** Output items of a response while they are made, and the events that say how. */
import { randomUUID } from 'node:crypto';
import type { AnswerPart } from '../../../core/conversation.js';

interface MessageItem {
  readonly type: 'message';
  readonly id: string;
  readonly role: 'assistant';
  status: string;
  readonly content: { type: 'output_text'; text: string; annotations: never[]; logprobs: never[] }[];
}

interface ReasoningItem {
  readonly type: 'reasoning';
  readonly id: string;
  status: string;
  readonly summary: never[];
  readonly content: { type: 'reasoning_text'; text: string }[];
}

interface CallItem {
  readonly type: 'function_call';
  readonly id: string;
  readonly call_id: string;
  readonly name: string;
  arguments: string;
  status: string;
}

interface CustomCallItem {
  readonly type: 'custom_tool_call';
  readonly id: string;
  readonly call_id: string;
  readonly name: string;
  input: string;
  status: string;
}

export type OutputItem = MessageItem | ReasoningItem | CallItem | CustomCallItem;

/** An event before it has its number. */
export interface OutputEvent {
  readonly type: string;
  readonly [member: string]: unknown;
}

export class ResponseOutput {
  readonly items: OutputItem[] = [];
  #isOpen = false;

  /** @returns events that say what the part changes */
  add(part: AnswerPart): OutputEvent[] {
    switch (part.type) {
      case 'text':
        return [...this.#enter('message'), this.#text(part.text)];
      case 'thought':
        return [...this.#enter('reasoning'), this.#text(part.text)];
      case 'call':
        return [...this.close('completed'), ...this.#open(callItem(part))];
      case 'arguments':
        return [this.#arguments(part.text)];
      case 'input':
        return [this.#input(part.text)];
      case 'call-end':
        return this.close('completed');
    }
  }

  /** Ends the open item. @param status that of the item from now on */
  close(status: 'completed' | 'incomplete'): OutputEvent[] {
    const item = this.items.at(-1);
    if (!this.#isOpen || item === undefined) return [];
    this.#isOpen = false;
    item.status = status;
    const place = this.#place(item);
    const done = { type: 'response.output_item.done', output_index: place.output_index, item };
    if (item.type === 'function_call') {
      const { name, arguments: text } = item;
      return [{ type: 'response.function_call_arguments.done', ...place, name, arguments: text }, done];
    }
    if (item.type === 'custom_tool_call')
      return [{ type: 'response.custom_tool_call_input.done', ...place, input: item.input }, done];
    const part = item.content[0]!;
    const kind = item.type === 'message' ? 'output_text' : 'reasoning_text';
    const { text } = part;
    const logprobs = item.type === 'message' ? { logprobs: [] } : {};
    return [
      { type: `response.${kind}.done`, ...place, content_index: 0, text, ...logprobs },
      { type: 'response.content_part.done', ...place, content_index: 0, part },
      done,
    ];
  }

  #enter(type: 'message' | 'reasoning'): OutputEvent[] {
    if (this.#isOpen && this.items.at(-1)?.type === type) return [];
    const item: MessageItem | ReasoningItem =
      type === 'message'
        ? { type, id: itemId('msg'), status: 'in_progress', role: 'assistant', content: [] }
        : { type, id: itemId('rs'), status: 'in_progress', summary: [], content: [] };
    const events = [...this.close('completed'), ...this.#open(item)];
    if (item.type === 'message')
      item.content.push({ type: 'output_text', text: '', annotations: [], logprobs: [] });
    else item.content.push({ type: 'reasoning_text', text: '' });
    const part = { ...item.content[0]! };
    return [...events, { type: 'response.content_part.added', ...this.#place(item), content_index: 0, part }];
  }

  /** @returns the event, with the item as it is now: a client may keep what it is given */
  #open(item: OutputItem): OutputEvent[] {
    this.items.push(item);
    this.#isOpen = true;
    const copy = 'content' in item ? { ...item, content: [] } : { ...item };
    return [{ type: 'response.output_item.added', output_index: this.items.length - 1, item: copy }];
  }

  #text(delta: string): OutputEvent {
    const item = this.items.at(-1) as MessageItem | ReasoningItem;
    item.content[0]!.text += delta;
    const place = { ...this.#place(item), content_index: 0, delta };
    if (item.type === 'reasoning') return { type: 'response.reasoning_text.delta', ...place };
    return { type: 'response.output_text.delta', ...place, logprobs: [] };
  }

  #arguments(delta: string): OutputEvent {
    const item = this.items.at(-1) as CallItem;
    item.arguments += delta;
    return { type: 'response.function_call_arguments.delta', ...this.#place(item), delta };
  }

  #input(delta: string): OutputEvent {
    const item = this.items.at(-1) as CustomCallItem;
    item.input += delta;
    return { type: 'response.custom_tool_call_input.delta', ...this.#place(item), delta };
  }

  #place({ id }: OutputItem): { readonly item_id: string; readonly output_index: number } {
    return { item_id: id, output_index: this.items.length - 1 };
  }
}

const itemId = (prefix: string): string => `${prefix}_${randomUUID().replaceAll('-', '')}`;

function callItem(part: Extract<AnswerPart, { type: 'call' }>): CallItem | CustomCallItem {
  const call = { call_id: part.id, name: part.name, status: 'in_progress' };
  return part.isCustom
    ? { type: 'custom_tool_call', id: itemId('ctc'), ...call, input: '' }
    : { type: 'function_call', id: itemId('fc'), ...call, arguments: '' };
}
