/** Members of requests in error messages: the engine's refusals use the names of the Node API, clients those of OpenAI. */
import { type AloftError, ERROR_CATALOGUE } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { present } from '../../core/present.js';
import { type FieldNames, inFieldNames, renameFields } from '../field-names.js';
import { isContextLength, OpenAiRequestError } from './error.js';
import { REQUEST_NAMES } from './members.js';

/** Members that only one request kind has, or that the kinds read differently, by the names of the Node API. */
const OWN_NAMES = {
  maxOutputTokens: 'max_tokens',
  bestOf: 'best_of',
  echo: 'echo',
  logprobs: 'logprobs',
  promptLogprobs: 'logprobs',
} as const satisfies Partial<Record<keyof GenerateRequest, string>>;

const NAMES = { ...REQUEST_NAMES, ...OWN_NAMES, 'embedding.dimensions': 'dimensions' };

/** Names in a route's requests, among them that of the prompt. */
export type MemberNames = FieldNames & { readonly prompt: string };

/** Refusals of a prompt that name no member. */
const ABOUT_PROMPT =
  /^The (?:prompt has|model's chat template does not accept|model \S+ has no chat template;)/;

type OwnFields = Pick<GenerateRequest, keyof typeof OWN_NAMES>;

/** Fields of a request that its kind's own members set. Takes none that has no name here. */
export function ownFields(fields: {
  readonly [Name in keyof OwnFields]: OwnFields[Name] | null | undefined;
}): OwnFields {
  return present(fields);
}

/**
 * Names of a route's members.
 * @param prompt the member that holds the prompt
 * @param others members that this route alone calls so, by the names of the Node API
 */
export function memberNames(prompt: string, others: FieldNames = {}): MemberNames {
  return { ...NAMES, ...others, prompt };
}

/** A refusal of the engine as an error in the member that caused it, where it names one. */
export function inMemberNames(error: AloftError, names: MemberNames): AloftError {
  const promptMember = names.prompt;
  const renamed = inFieldNames(error, names);
  if (isContextLength(error.code)) return new OpenAiRequestError(promptMember, renamed.message, error.code);
  const named = renameFields(error.message, names).field;
  const field = named ?? (ABOUT_PROMPT.test(error.message) ? promptMember : undefined);
  const isAboutRequest = ERROR_CATALOGUE[error.code].http === 400 && !(error instanceof OpenAiRequestError);
  if (field === undefined || !isAboutRequest) return renamed;
  return new OpenAiRequestError(field, renamed.message, error.code);
}
