import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../json.js';
import { readChatRequest } from './chat-request.js';
import { readCompletionRequest } from './completion-request.js';
import { CONSTRAINT_MEMBERS, readConstraint } from './constraint.js';
import { OpenAiRequestError } from './error.js';

const schema = { type: 'object', properties: { a: { type: 'integer' } } };
const json = { type: 'json_schema', schema };

function faultOf(members: JsonObject): OpenAiRequestError {
  try {
    readConstraint(members);
  } catch (error) {
    if (error instanceof OpenAiRequestError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('members that ask for a form', () => {
  test.each<[JsonObject, unknown]>([
    [{ response_format: { type: 'json_object' } }, { type: 'json_object' }],
    [{ response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } } }, json],
    [{ guided_json: schema }, json],
    [{ guided_json: JSON.stringify(schema) }, json],
    [{ guided_regex: 'a+' }, { type: 'regex', pattern: 'a+' }],
    [{ guided_choice: ['a', 'b'] }, { type: 'choice', choices: ['a', 'b'] }],
    [{ guided_grammar: 'root ::= "a"' }, { type: 'grammar', grammar: 'root ::= "a"' }],
    [{ structured_outputs: { json: schema } }, json],
    [{ structured_outputs: { regex: 'a', choice: null } }, { type: 'regex', pattern: 'a' }],
    [{ structured_outputs: { json_object: true } }, { type: 'json_object' }],
    [{ json_schema: schema }, json],
    [{ grammar: 'start: "a"' }, { type: 'grammar', grammar: 'start: "a"' }],
  ])('%j', (members, constraint) => {
    expect(readConstraint(members)).toEqual(constraint);
    const chat = readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'a' }], ...members });
    const completion = readCompletionRequest({ model: 'm', prompt: 'a', ...members });
    for (const request of [chat.request, ...completion.requests])
      expect(request.constraint).toEqual(constraint);
  });

  test.each([
    {},
    { response_format: { type: 'text' } },
    { grammar: '' },
    { structured_outputs: { json_object: false } },
  ])('%j asks for none', (members) => expect(readConstraint(members)).toBeUndefined());

  test('wide integers of a schema are the doubles that JSON means', () => {
    const schema = { maximum: 9_007_199_254_740_993n };
    expect(readConstraint({ json_schema: schema })).toEqual({
      type: 'json_schema',
      schema: { maximum: 2 ** 53 },
    });
  });

  test.each(CONSTRAINT_MEMBERS)('%s null asks for none, and a number is refused by name', (name) => {
    expect(readConstraint({ [name]: null })).toBeUndefined();
    expect(faultOf({ [name]: 3 }).param).toBe(name);
  });

  test.each<[JsonObject, string]>([
    [{ response_format: { type: 'xml' } }, 'response_format'],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
    [{ guided_json: '{' }, 'guided_json'],
    [{ guided_choice: [] }, 'guided_choice'],
    [{ guided_choice: ['a', 1] }, 'guided_choice'],
    [{ structured_outputs: { structural_tag: '{}' } }, 'structured_outputs.structural_tag'],
    [{ structured_outputs: { json: {}, regex: 'a' } }, 'structured_outputs.regex'],
    [{ guided_regex: 'a', grammar: 'root ::= "a"' }, 'grammar'],
  ])('%j is refused', (members, param) => {
    expect(faultOf(members).param).toBe(param);
  });
});
