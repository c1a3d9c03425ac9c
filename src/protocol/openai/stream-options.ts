import type { Static, TObject } from 'typebox';
import { OpenAiRequestError } from './error.js';
import type { FORM_MEMBERS } from './members.js';

/** Options that decide the form of the answer rather than the generation. */
export interface StreamOptions {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** @throws {OpenAiRequestError} */
export function streamOptions(json: Static<TObject<typeof FORM_MEMBERS>>): StreamOptions {
  if (json.stream_options && !json.stream)
    throw new OpenAiRequestError('stream_options', `'stream_options' needs 'stream': true.`);
  return {
    model: json.model,
    stream: json.stream ?? false,
    includeUsage: json.stream_options?.include_usage ?? false,
  };
}
