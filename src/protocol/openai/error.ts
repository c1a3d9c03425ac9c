/** Error objects as the OpenAI clients read them. */
import { AloftError, ERROR_CATALOGUE, type ErrorCode, type ErrorReport } from '../../core/errors.js';

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

export function openAiError(report: ErrorReport, param: string | null = null): OpenAiErrorBody {
  return {
    error: {
      message: report.message,
      type: errorType(openAiStatus(report)),
      param,
      code: isContextLength(report.code) ? 'context_length_exceeded' : report.code.toLowerCase(),
    },
  };
}

/** True for prompts and outputs that do not fit: agents shorten a conversation on one code alone. */
export function isContextLength(code: ErrorCode): boolean {
  return code === 'PROMPT_TOO_LONG' || code === 'CONTEXT_LENGTH_EXCEEDED';
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
