/** Members of requests in error messages: the engine's refusals use the names of the Node API, clients those of OpenAI. */
import { type AloftError, ERROR_CATALOGUE } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { present } from '../../core/present.js';
import { inFieldNames, renameFields } from '../field-names.js';
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
 * A refusal of the engine as an error in the member that caused it, where it names one.
 * @param promptMember the member that holds the prompt
 */
export function inMemberNames(error: AloftError, promptMember: string): AloftError {
  const names = { ...NAMES, prompt: promptMember };
  const renamed = inFieldNames(error, names);
  if (isContextLength(error.code)) return new OpenAiRequestError(promptMember, renamed.message, error.code);
  const named = renameFields(error.message, names).field;
  const field = named ?? (ABOUT_PROMPT.test(error.message) ? promptMember : undefined);
  const isAboutRequest = ERROR_CATALOGUE[error.code].http === 400 && !(error instanceof OpenAiRequestError);
  if (field === undefined || !isAboutRequest) return renamed;
  return new OpenAiRequestError(field, renamed.message, error.code);
}
