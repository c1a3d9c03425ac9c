/**
 * Brings messages into the forms that chat templates expect. Most want the arguments of earlier tool calls as an object, some
 * paste them as text. Some test whether there is content, others add it to a text whatever it is. Some want content as a list
 * of parts. Which form a template wants shows when it renders: see chat-template.ts.
 */
import type { ChatMessage } from '../core/generate.js';
import { isRecord } from './tokenizer/hf-json.js';
import { parseJsonValue } from './jinja/values/json-values.js';

export interface MessageForm {
  /** Arguments of tool calls: what their JSON says, or the JSON itself. */
  readonly callArguments: 'values' | 'text';
  /** Content of a message that has none. */
  readonly noContent: null | '';
  /** Content as a text, or as a list with one part. */
  readonly content: 'text' | 'parts';
}

/** As the template's authors have them in transformers. */
const FIRST_FORM: MessageForm = { callArguments: 'values', noContent: null, content: 'text' };

/** Forms that differ for these messages, in the order in which to try them. */
export function formsOf(messages: readonly ChatMessage[]): MessageForm[] {
  const hasArguments = messages.some((message) => callsOf(message).length > 0);
  const lacksContent = messages.some(({ content }) => content === null);
  return [
    FIRST_FORM,
    ...(hasArguments ? [{ ...FIRST_FORM, callArguments: 'text' } as const] : []),
    ...(lacksContent ? [{ ...FIRST_FORM, noContent: '' } as const] : []),
    ...(hasArguments && lacksContent
      ? [{ ...FIRST_FORM, callArguments: 'text', noContent: '' } as const]
      : []),
  ];
}

export interface ShapedMessages {
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  /** Values that no template prints as they are, unless it expects another form. */
  readonly watched: readonly unknown[];
}

export function shapeMessages(messages: readonly ChatMessage[], form: MessageForm): ShapedMessages {
  const watched: unknown[] = [];
  const shaped = messages.map((message) => {
    const content = shapeContent(message.content, form);
    if (Array.isArray(content)) watched.push(content);
    const calls = callsOf(message);
    if (calls.length === 0) return { ...message, content };
    return { ...message, content, tool_calls: calls.map((call) => shapeCall(call, form, watched)) };
  });
  return { messages: shaped, watched };
}

function shapeContent(content: string | null, form: MessageForm): unknown {
  if (content === null) return form.noContent;
  return form.content === 'parts' ? [{ type: 'text', text: content }] : content;
}

interface FunctionCall {
  readonly function: Readonly<Record<string, unknown>>;
}

const isFunctionCall = (call: unknown): call is FunctionCall => isRecord(call) && isRecord(call['function']);

/** Calls of a message; none unless all are calls of functions. */
function callsOf(message: ChatMessage): readonly FunctionCall[] {
  const calls: unknown = message['tool_calls'];
  return Array.isArray(calls) && calls.every(isFunctionCall) ? calls : [];
}

function shapeCall(call: FunctionCall, { callArguments }: MessageForm, watched: unknown[]): FunctionCall {
  const given = call.function['arguments'];
  const shaped = callArguments === 'values' ? valuesOf(given) : jsonText(given);
  if (typeof shaped !== 'string') watched.push(shaped);
  return { ...call, function: { ...call.function, arguments: shaped } };
}

const isNothing = (given: unknown): boolean => given === undefined || given === null || given === '';

/** The value that a JSON text stands for; a text that is no JSON stays. */
function valuesOf(given: unknown): unknown {
  if (isNothing(given)) return {};
  const value = typeof given === 'string' ? parseJsonValue(given) : given;
  return value === undefined ? given : (value ?? {});
}

/** JSON as Python writes it, unless it is a text already. */
function jsonText(given: unknown): string {
  if (isNothing(given)) return '{}';
  if (typeof given === 'string') return given;
  // Line breaks within texts are escaped, so these are all of the indentation.
  return JSON.stringify(given, null, 1).replaceAll(/,\n */g, ', ').replaceAll(/\n */g, '');
}
