/** Error objects as Anthropic's clients read them. */
import type { ErrorReport } from '../../core/errors.js';
import { isContextLength, openAiStatus } from '../openai/error.js';

export interface AnthropicErrorBody {
  readonly type: 'error';
  readonly error: { readonly type: string; readonly message: string };
}

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

export function anthropicError(report: ErrorReport): AnthropicErrorBody {
  // The words by which agents know that a conversation has grown too long.
  const message = isContextLength(report.code) ? `prompt is too long: ${report.message}` : report.message;
  return anthropicErrorOf(openAiStatus(report), message);
}

export function anthropicErrorOf(status: number, message: string): AnthropicErrorBody {
  const type = TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
  return { type: 'error', error: { type, message } };
}
