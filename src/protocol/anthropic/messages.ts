/** Messages of the Messages interface as chat templates know them. */
import { type Static, Type } from 'typebox';
import type { ChatMessage } from '../../core/generate.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { writeJson } from '../json.js';
import { OpenAiRequestError } from '../openai/error.js';
import { optional } from '../openai/optional.js';

const { max: MAX_PARTS } = REQUEST_LIMITS.contentParts;

/** A text, or parts of which only texts are read. */
const RESULT_PART = Type.Object({ type: Type.String(), text: optional(Type.String()) });

const BLOCK = Type.Object({
  type: Type.String(),
  text: optional(Type.String()),
  thinking: optional(Type.String()),
  id: optional(Type.String()),
  name: optional(Type.String()),
  input: optional(Type.Record(Type.String(), Type.Unknown())),
  tool_use_id: optional(Type.String()),
  content: optional(Type.Union([Type.String(), Type.Array(RESULT_PART, { maxItems: MAX_PARTS })])),
});

export const MESSAGE = Type.Object({
  role: Type.Enum(['user', 'assistant', 'system']),
  content: Type.Union([Type.String(), Type.Array(BLOCK, { maxItems: MAX_PARTS })]),
});

export const SYSTEM = Type.Union([Type.String(), Type.Array(RESULT_PART, { maxItems: MAX_PARTS })]);

type Block = Static<typeof BLOCK>;
type Part = Static<typeof RESULT_PART>;

/** @throws {OpenAiRequestError} for a block that is no text, call, result or thought */
export function chatMessages(
  system: Static<typeof SYSTEM> | null | undefined,
  messages: readonly Static<typeof MESSAGE>[],
): ChatMessage[] {
  const first = system ? [{ role: 'system', content: textOf(system, 'system') }] : [];
  return [...first, ...messages.flatMap(messageOf)];
}

function messageOf({ role, content }: Static<typeof MESSAGE>, index: number): ChatMessage[] {
  if (typeof content === 'string') return [{ role, content }];
  const path = `messages.${index}.content`;
  return role === 'assistant' ? [answerOf(content, path)] : userMessages(role, content, path);
}

/** Results of tools are messages of their own, before the text that comes with them. */
function userMessages(role: string, blocks: readonly Block[], path: string): ChatMessage[] {
  const messages: ChatMessage[] = [];
  let text: string | undefined;
  for (const [i, block] of blocks.entries()) {
    if (block.type === 'text') text = (text ?? '') + (block.text ?? '');
    else if (block.type === 'tool_result')
      messages.push({
        role: 'tool',
        tool_call_id: block.tool_use_id ?? '',
        content: textOf(block.content ?? '', `${path}.${i}.content`),
      });
    else throw unsupported(`${path}.${i}`, block.type);
  }
  return text === undefined ? messages : [...messages, { role, content: text }];
}

function answerOf(blocks: readonly Block[], path: string): ChatMessage {
  let [text, thought] = ['', ''];
  const calls: object[] = [];
  for (const [i, block] of blocks.entries()) {
    if (block.type === 'text') text += block.text ?? '';
    else if (block.type === 'thinking') thought += block.thinking ?? '';
    else if (block.type === 'tool_use') calls.push(callOf(block));
    else if (block.type !== 'redacted_thinking') throw unsupported(`${path}.${i}`, block.type);
  }
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    ...(thought === '' ? {} : { reasoning_content: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function callOf({ id, name, input }: Block): object {
  return {
    id: id ?? '',
    type: 'function',
    function: { name: name ?? '', arguments: writeJson(input ?? {}) },
  };
}

function textOf(content: string | readonly Part[], path: string): string {
  if (typeof content === 'string') return content;
  return content
    .map(({ type, text }, i) => {
      if (type !== 'text') throw unsupported(`${path}.${i}`, type);
      return text ?? '';
    })
    .join('');
}

function unsupported(path: string, type: string): OpenAiRequestError {
  const message = `'${path}' is of type '${type}', which is not supported here; only text, calls of tools and their results are read.`;
  return new OpenAiRequestError(path, message, 'UNSUPPORTED');
}
