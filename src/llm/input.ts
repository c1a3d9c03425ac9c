/** Requests as programs write them, to requests as the engine takes them. JavaScript checks no types, so this does. */
import { AloftError, suggestion } from '../core/errors.js';
import type { ChatMessage, GenerateRequest, Prompt } from '../core/generate.js';
import type { BeamParams } from '../core/request.js';
import { SAMPLING_FIELD_NAMES } from '../core/sampling-fields.js';

/** A part of a message. */
export interface TextPart {
  /** Kind of the part. */
  readonly type: 'text';
  /** The text. */
  readonly text: string;
}

/** A message as programs write it: OpenAI's parts of text are joined. */
export interface ChatMessageInput {
  /** `system`, `user`, `assistant`, or another that the chat template knows. */
  readonly role: string;
  /** Text, or parts of it; null where there is none, as in a message that only calls tools. */
  readonly content: string | null | readonly TextPart[];
  /** Passed to the chat template as they are: tool calls, names, ... */
  readonly [extra: string]: unknown;
}

/** A prompt as programs write it; what is left out has a default. */
export type PromptInput = string | Prompt | TextPromptInput | ChatPromptInput;

/** Text to continue. */
export interface TextPromptInput {
  /** Kind of the prompt. */
  readonly type: 'text';
  /** The text. */
  readonly text: string;
  /** Default true: the tokenizer's begin token comes before it. */
  readonly addSpecialTokens?: boolean;
}

/** A conversation to answer. */
export interface ChatPromptInput {
  /** Kind of the prompt. */
  readonly type: 'chat';
  /** Messages, oldest first. */
  readonly messages: readonly ChatMessageInput[];
  /** Passed to the chat template: tools, documents, flags. */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}

/** Members of a request that programs may write in a shorter form. */
interface ShortForms {
  /** Text to continue with the tokenizer's begin token before it, tokens, or a conversation. */
  readonly prompt: PromptInput;
  /** One stop string, or several. */
  readonly stop?: string | readonly string[];
  /** Whole number from 0 to 2^64 - 1; as a number up to `Number.MAX_SAFE_INTEGER`. */
  readonly seed?: number | bigint;
  /** Width, and where they matter the other members. */
  readonly beam?: Pick<BeamParams, 'width'> & Partial<BeamParams>;
}

/** Everything but the prompt may be left out. */
export type RequestOptions = Omit<GenerateRequest, keyof ShortForms> & Partial<Omit<ShortForms, 'prompt'>>;

/** A request as programs write it. A text alone is continued with the engine's defaults. */
export type GenerateInput = string | (RequestOptions & Pick<ShortForms, 'prompt'>);

/** Members of a request besides those of sampling. The compiler asks for new ones. */
const MEMBERS: Readonly<Record<Exclude<keyof GenerateRequest, (typeof SAMPLING_FIELD_NAMES)[number]>, true>> =
  {
    prompt: true,
    id: true,
    maxOutputTokens: true,
    shortensOutput: true,
    logitBias: true,
    badWords: true,
    badTokenLists: true,
    stop: true,
    stopTokenLists: true,
    includeStop: true,
    endIds: true,
    ignoreEos: true,
    seed: true,
    logprobs: true,
    promptLogprobs: true,
    sequenceCount: true,
    bestOf: true,
    beam: true,
    echo: true,
    continuesPrompt: true,
    skipSpecialTokens: true,
    shownTokens: true,
    truncatePromptTokens: true,
    priority: true,
    queueTimeoutMs: true,
    deadlineMs: true,
    cacheSalt: true,
    constraint: true,
    course: true,
    returnContextLogits: true,
    returnGenerationLogits: true,
    embedding: true,
  };
const NAMES: readonly string[] = [...Object.keys(MEMBERS), ...SAMPLING_FIELD_NAMES];

/** Names in other interfaces whose spelling is far from ours. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  maxTokens: 'maxOutputTokens',
  maxNewTokens: 'maxOutputTokens',
  maxCompletionTokens: 'maxOutputTokens',
  n: 'sequenceCount',
  messages: 'prompt: { type: "chat", messages }',
  text: 'prompt',
  responseFormat: 'constraint',
  signal: 'the argument behind the request, as in complete(request, signal)',
};

const LISTS = ['stop', 'badWords', 'endIds', 'stopTokenLists', 'badTokenLists', 'shownTokens'] as const;

/** @throws {AloftError} REQUEST_INVALID naming the member, what it must be, and the name that was probably meant */
export function requestOf(input: GenerateInput | GenerateRequest): GenerateRequest {
  if (typeof input === 'string') return { prompt: promptOf(input) };
  if (!isPlainObject(input))
    throw refusal(`A request must be a text or an object with a prompt, but is ${shown(input)}.`);
  for (const name of Object.keys(input)) if (!NAMES.includes(name)) throw unknownMember(name);
  const { prompt, stop, seed, beam, ...rest } = input;
  if (prompt === undefined)
    throw refusal("prompt is missing; give a text, such as { prompt: 'Once upon a time' }.");
  const request = {
    ...rest,
    prompt: promptOf(prompt),
    ...(stop === undefined ? {} : { stop: typeof stop === 'string' ? [stop] : stop }),
    ...(seed === undefined ? {} : { seed: seedOf(seed) }),
    ...(beam === undefined ? {} : { beam: beamOf(beam) }),
  };
  for (const name of Object.keys(rest.embedding ?? {}))
    if (name !== 'dimensions')
      throw refusal(`An embedding has no option '${name}'; its options are dimensions and signal.`);
  for (const name of LISTS) {
    if (request[name] !== undefined && !Array.isArray(request[name]))
      throw refusal(`${name} must be a list, but is ${shown(request[name])}.`);
  }
  return request;
}

/** @throws {AloftError} REQUEST_INVALID: what is no signal would fail where no caller could catch it */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || isSignal(signal)) return;
  throw refusal(
    `The argument behind the request must be an AbortSignal itself, such as AbortSignal.timeout(60_000), but is ${shown(signal)}.`,
  );
}

function unknownMember(name: string): AloftError {
  const camel = camelCase(name);
  const meant = OTHER_NAMES[camel] ?? suggestion(camel, NAMES);
  return refusal(
    meant === undefined
      ? `A request has no member '${name}'; its members are ${NAMES.join(', ')}.`
      : `A request has no member '${name}'; did you mean ${meant}?`,
  );
}

function promptOf(prompt: PromptInput): Prompt {
  if (typeof prompt === 'string') return { type: 'text', text: prompt, addSpecialTokens: true };
  if (Array.isArray(prompt))
    throw refusal(
      `prompt must be a text or an object, but is a list; a conversation is { type: 'chat', messages }, tokens are { type: 'tokens', tokenIds }.`,
    );
  if (!isPlainObject(prompt)) throw refusal(`prompt must be a text or an object, but is ${shown(prompt)}.`);
  switch (prompt.type) {
    case 'text':
      if (typeof prompt.text !== 'string')
        throw refusal(`prompt.text must be a text, but is ${shown(prompt.text)}.`);
      return { type: 'text', text: prompt.text, addSpecialTokens: prompt.addSpecialTokens ?? true };
    case 'tokens':
      if (!isList(prompt.tokenIds))
        throw refusal(`prompt.tokenIds must be a list of token ids, but is ${shown(prompt.tokenIds)}.`);
      return prompt;
    case 'chat':
      return {
        type: 'chat',
        messages: messagesOf(prompt.messages),
        templateArguments: prompt.templateArguments ?? {},
      };
    default:
      throw refusal(
        `prompt.type must be 'text', 'tokens' or 'chat', but is ${shown((prompt as { type: unknown }).type)}.`,
      );
  }
}

/** @throws {AloftError} REQUEST_INVALID */
function messagesOf(messages: readonly ChatMessageInput[]): ChatMessage[] {
  if (!Array.isArray(messages))
    throw refusal(
      `messages must be a list such as [{ role: 'user', content: 'Hello' }], but is ${shown(messages)}.`,
    );
  return (messages as readonly ChatMessageInput[]).map((message, i) => {
    if (!isPlainObject(message) || typeof message.role !== 'string')
      throw refusal(`messages[${i}] must be an object with a role and a content, but is ${shown(message)}.`);
    return { ...message, content: contentOf(message.content, `messages[${i}].content`) };
  });
}

function contentOf(content: ChatMessageInput['content'] | undefined, where: string): string | null {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return null;
  if (!isList(content))
    throw refusal(`${where} must be a text or a list of parts, but is ${shown(content)}.`);
  return content
    .map((part: unknown, i) => {
      if (isPlainObject(part) && part['type'] === 'text' && typeof part['text'] === 'string')
        return part['text'];
      throw refusal(
        `${where}[${i}] must be { type: 'text', text: ... }: models here read text alone; it is ${shown(part)}.`,
      );
    })
    .join('');
}

function seedOf(seed: unknown): bigint {
  if (typeof seed === 'bigint') return seed;
  if (typeof seed === 'number' && Number.isSafeInteger(seed) && seed >= 0) return BigInt(seed);
  throw refusal(
    `seed must be a whole number of at least 0, as a BigInt beyond ${Number.MAX_SAFE_INTEGER}, but is ${shown(seed)}.`,
  );
}

function beamOf(beam: unknown): BeamParams {
  if (!isPlainObject(beam))
    throw refusal(`beam must be an object such as { width: 4 }, but is ${shown(beam)}.`);
  const { width, lengthPenalty = 1, earlyStopping = false } = beam as Partial<BeamParams>;
  if (width === undefined)
    throw refusal('beam.width is missing; give a number of beams, such as { width: 4 }.');
  return { width, lengthPenalty, earlyStopping };
}

/** Also one that is not Node's own, as some frameworks have. */
export const isSignal = (value: unknown): boolean =>
  isPlainObject(value) &&
  typeof value['addEventListener'] === 'function' &&
  typeof value['aborted'] === 'boolean';
export const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isList = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) || ArrayBuffer.isView(value);

/** `max_tokens` as `maxTokens`. */
export function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function refusal(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}

/** A value in a message: short, and on one line. */
export function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A BigInt, or an object that holds itself.
  }
  text ??= String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
