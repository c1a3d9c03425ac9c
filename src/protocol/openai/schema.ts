/** Members that both request kinds have. Unknown members are allowed: clients send many that do not matter here. */
import { Type, type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { JsonObject } from '../json.js';
import { OpenAiRequestError } from './error.js';

/** `null` counts as absent, as in OpenAI's own service. */
export const optional = <Schema extends TSchema>(schema: Schema) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

const count = (minimum: number, maximum?: number) =>
  Type.Integer(maximum === undefined ? { minimum } : { minimum, maximum });

export const SHARED_MEMBERS = {
  model: Type.String({ minLength: 1 }),
  stream: optional(Type.Boolean()),
  stream_options: optional(Type.Object({ include_usage: optional(Type.Boolean()) })),
  n: optional(count(1, 128)),
  stop: optional(Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 64 })])),
  seed: optional(Type.Union([Type.Integer(), Type.BigInt()])),
  temperature: optional(Type.Number({ minimum: 0, maximum: 100 })),
  top_p: optional(Type.Number({ minimum: 0, maximum: 1 })),
  presence_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
  frequency_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
  logit_bias: optional(Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.Number())),
  user: optional(Type.String()),
  // Beyond OpenAI's own interface, named as other engines name them.
  top_k: optional(Type.Integer({ minimum: -1 })),
  min_p: optional(Type.Number({ minimum: 0, maximum: 1 })),
  repetition_penalty: optional(Type.Number({ exclusiveMinimum: 0 })),
  min_tokens: optional(count(0)),
  ignore_eos: optional(Type.Boolean()),
  stop_token_ids: optional(Type.Array(count(0))),
  include_stop_str_in_output: optional(Type.Boolean()),
  skip_special_tokens: optional(Type.Boolean()),
  truncate_prompt_tokens: optional(count(1)),
  priority: optional(Type.Integer()),
  cache_salt: optional(Type.String()),
};

/** Members by which clients force the form of an answer: an answer of another form would be worse than none. */
const GUIDED_MEMBERS = [
  'guided_json',
  'guided_regex',
  'guided_choice',
  'guided_grammar',
  'structured_outputs',
];

function refuseGuided(json: JsonObject): void {
  const member = GUIDED_MEMBERS.find((name) => json[name] !== undefined && json[name] !== null);
  if (member === undefined) return;
  const message = `'${member}' is not supported: there is no guided decoding; leave it out.`;
  throw new OpenAiRequestError(member, message, 'UNSUPPORTED');
}

/**
 * A reader of one request kind.
 * @throws {OpenAiRequestError} that names the first wrong member.
 */
export function requestReader<Schema extends TSchema>(schema: Schema): (json: JsonObject) => Static<Schema> {
  const validator = Compile(schema);
  return (json) => {
    refuseGuided(json);
    if (validator.Check(json)) return json;
    const [first] = validator.Errors(json);
    const path = first?.instancePath.slice(1).replaceAll('/', '.') ?? '';
    const missing = path === '' ? missingMember(first) : undefined;
    if (missing !== undefined) throw new OpenAiRequestError(missing, `The request lacks '${missing}'.`);
    throw new OpenAiRequestError(path, `'${path}' ${first?.message ?? 'is invalid'}.`);
  };
}

function missingMember(fault: object | undefined): string | undefined {
  const params: unknown = fault !== undefined && 'params' in fault ? fault.params : undefined;
  if (typeof params !== 'object' || params === null || !('requiredProperties' in params)) return undefined;
  const { requiredProperties } = params;
  return Array.isArray(requiredProperties) ? String(requiredProperties[0]) : undefined;
}
