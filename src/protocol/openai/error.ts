/** Error objects as the OpenAI clients read them. */
import { AloftError, ERROR_CATALOGUE, type ErrorCode, type ErrorReport } from '../../core/errors.js';
import { inFieldNames, renameFields, type FieldNames } from '../field-names.js';

export interface OpenAiErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** A fault in a member of the request; `param` is its path. */
export class OpenAiRequestError extends AloftError {
  readonly param: string;

  constructor(param: string, message: string, code: ErrorCode = 'REQUEST_INVALID') {
    super(code, message);
    this.param = param;
  }
}

/** Members of both request kinds by their names in the Node API. */
const MEMBERS: FieldNames = {
  maxOutputTokens: 'max_tokens',
  temperature: 'temperature',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repetitionPenalty: 'repetition_penalty',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
  minTokens: 'min_tokens',
  logitBias: 'logit_bias',
  seed: 'seed',
  sequenceCount: 'n',
  bestOf: 'best_of',
  stop: 'stop',
  stopTokenLists: 'stop_token_ids',
  ignoreEos: 'ignore_eos',
  logprobs: 'logprobs',
  promptLogprobs: 'logprobs',
  truncatePromptTokens: 'truncate_prompt_tokens',
  priority: 'priority',
};

/** A refusal of the engine as an error in the member that caused it, where it names one. */
export function inMemberNames(error: AloftError): AloftError {
  const renamed = inFieldNames(error, MEMBERS);
  const { field } = renameFields(error.message, MEMBERS);
  const isAboutRequest = ERROR_CATALOGUE[error.code].http === 400 && !(error instanceof OpenAiRequestError);
  if (field === undefined || !isAboutRequest) return renamed;
  return new OpenAiRequestError(field, renamed.message, error.code);
}

export function openAiError(report: ErrorReport, param: string | null = null): OpenAiErrorBody {
  return {
    error: {
      message: report.message,
      type: errorType(openAiStatus(report)),
      param,
      code: report.code.toLowerCase(),
    },
  };
}

/** A request that no route takes. */
export function openAiRouteError(message: string, code: string): OpenAiErrorBody {
  return { error: { message, type: 'invalid_request_error', param: null, code } };
}

/** HTTP status: what is not supported is a mistake in the request here, as in OpenAI's own service. */
export function openAiStatus(report: ErrorReport): number {
  return report.code === 'UNSUPPORTED' ? 400 : ERROR_CATALOGUE[report.code].http;
}

function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 404) return 'not_found_error';
  if (status === 429) return 'rate_limit_error';
  if (status >= 500) return 'server_error';
  return 'invalid_request_error';
}
