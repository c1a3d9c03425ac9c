/** Content of a message: a text, or parts that are all text. */
import { type Static, Type } from 'typebox';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { OpenAiRequestError } from './error.js';

const CONTENT_PART = Type.Object({
  type: Type.String(),
  text: Type.Optional(Type.String()),
  refusal: Type.Optional(Type.String()),
});

export const MESSAGE_CONTENT = Type.Union([
  Type.String(),
  Type.Null(),
  Type.Array(Type.Union([CONTENT_PART, Type.String()]), { maxItems: REQUEST_LIMITS.contentParts.max }),
]);

type Content = Static<typeof MESSAGE_CONTENT>;
type Part = Exclude<Extract<Content, readonly unknown[]>[number], string>;

/** Roles whose messages are nothing without a content; an assistant's may be calls. */
const ROLES_OF_CONTENT: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'tool']);

/** @param path of the content in the request. @throws {OpenAiRequestError} a message lacks the content that its role needs */
export function requireContent(role: string, content: unknown, path: string): void {
  const isMissing = content === undefined || content === null;
  if (isMissing && ROLES_OF_CONTENT.has(role))
    throw new OpenAiRequestError(path, `'${path}' is missing: a message of role '${role}' needs a text.`);
}

/** The member that holds the text of a part, by its type: agents keep parts of other interfaces, and refusals of earlier answers. */
const TEXT_MEMBERS: ReadonlyMap<string, 'text' | 'refusal'> = new Map([
  ['text', 'text'],
  ['input_text', 'text'],
  ['output_text', 'text'],
  ['refusal', 'refusal'],
]);

/** @param index of the message. @throws {OpenAiRequestError} for parts that are no text */
export function readContent(content: Content | undefined, index: number): string | null {
  if (content === undefined || content === null || typeof content === 'string') return content ?? null;
  const path = `messages.${index}.content`;
  return content.map((part, i) => (typeof part === 'string' ? part : textOf(part, path, i))).join('');
}

function textOf(part: Part, path: string, index: number): string {
  const member = TEXT_MEMBERS.get(part.type);
  if (member === undefined)
    throw new OpenAiRequestError(
      path,
      `'${path}' has a part of type '${part.type}'; only text parts are supported.`,
      'UNSUPPORTED',
    );
  const text = part[member];
  if (text !== undefined) return text;
  const place = `${path}.${index}`;
  throw new OpenAiRequestError(place, `'${place}' is of type '${part.type}', but has no '${member}'.`);
}
