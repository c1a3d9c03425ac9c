import { expect, test } from 'vitest';
import { AloftError } from '../core/errors.js';
import { inFieldNames, renameFields } from './field-names.js';

const NAMES = {
  maxOutputTokens: 'request_output_len',
  topP: 'runtime_top_p',
  'beam.width': 'beam_width',
  stop: 'stop_words',
};

test.each([
  [
    'maxOutputTokens is 9, but this engine generates at most 8.',
    'request_output_len is 9, but this engine generates at most 8.',
    'request_output_len',
  ],
  [
    'The prompt of 3 tokens and maxOutputTokens of 9 make 12.',
    'The prompt of 3 tokens and request_output_len of 9 make 12.',
    'request_output_len',
  ],
  ['sequenceCount is 3, but beam.width is 2.', 'sequenceCount is 3, but beam_width is 2.', 'beam_width'],
  ['stop[1] must be text.', 'stop_words[1] must be text.', 'stop_words'],
  [
    'The prompt has 9 tokens; shorten it, set truncatePromptTokens to 8 or less, or build another engine.',
    'The prompt has 9 tokens; shorten it, or build another engine.',
    undefined,
  ],
  [
    'shorten it, set topP to 8 or less, or rest.',
    'shorten it, set runtime_top_p to 8 or less, or rest.',
    'runtime_top_p',
  ],
  ['Requests that never stop have no end.', 'Requests that never stop have no end.', undefined],
])('%s', (message, renamed, field) => {
  expect(renameFields(message, NAMES)).toEqual({ message: renamed, field });
});

test('only what is wrong with a request is put into other words', () => {
  const error = (code: 'REQUEST_INVALID' | 'INTERNAL') => new AloftError(code, 'topP must be a number.');
  expect(inFieldNames(error('REQUEST_INVALID'), NAMES)).toMatchObject({
    code: 'REQUEST_INVALID',
    message: 'runtime_top_p must be a number.',
  });
  expect(inFieldNames(error('INTERNAL'), NAMES).message).toBe('topP must be a number.');
});
