/** Members that both request kinds have: how each is checked, and the member of the text-level request that it sets. */
import { type Static, type TSchema, Type } from 'typebox';
import type { GenerateRequest } from '../../core/generate.js';
import { present } from '../../core/present.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import {
  type NumberRange,
  OPENAI_LOGIT_BIAS_RANGE,
  SAMPLING_FIELD_NAMES,
  samplingField,
} from '../../core/sampling-fields.js';
import type { JsonObject } from '../json.js';
import { readConstraint } from './constraint.js';
import { optional } from './optional.js';

const count = (minimum: number, maximum?: number) =>
  Type.Integer(maximum === undefined ? { minimum } : { minimum, maximum });

/** Members that decide the form of the answer, or nothing. */
export const FORM_MEMBERS = {
  model: Type.String({ minLength: 1, maxLength: REQUEST_LIMITS.idCharacters.max }),
  stream: optional(Type.Boolean()),
  stream_options: optional(
    Type.Object({
      include_usage: optional(Type.Boolean()),
      continuous_usage_stats: optional(Type.Literal(false)),
    }),
  ),
  user: optional(Type.String()),
};

type RequestName = Exclude<keyof GenerateRequest, 'prompt'>;

/** A member that sets one of the text-level request. */
interface RequestMember {
  readonly schema: TSchema;
  readonly sets: RequestName;
  /** @param value passed the schema */
  readonly read: (value: never) => GenerateRequest[RequestName];
  /** Value of a request that leaves the member out. */
  readonly default?: number | undefined;
}

/** @param read makes the value to set; needed where that differs in type from the member's own */
function sets<Name extends RequestName, Schema extends TSchema>(
  name: Name,
  schema: Schema,
  ...[read]: Static<Schema> extends GenerateRequest[Name]
    ? []
    : [read: (value: Static<Schema>) => GenerateRequest[Name]]
): RequestMember {
  return { schema: optional(schema), sets: name, read: read ?? ((value) => value) };
}

const SAMPLING_MEMBERS = Object.fromEntries(
  SAMPLING_FIELD_NAMES.map((name): [string, RequestMember] => {
    const { openAi, neutral } = samplingField(name);
    const read = (value: number) => (value === openAi.neutral ? neutral : value);
    const schema = optional(numberSchema(openAi.range));
    return [openAi.name, { schema, sets: name, read, default: openAi.default }];
  }),
);

function numberSchema({ isInteger, min, isOpen, max }: NumberRange) {
  const range = {
    ...(min === undefined ? {} : isOpen ? { exclusiveMinimum: min } : { minimum: min }),
    ...(max === undefined ? {} : { maximum: max }),
  };
  return isInteger ? Type.Integer(range) : Type.Number(range);
}

/** The request's schema, the mapping and the names in error messages are all made from this table. */
const REQUEST_MEMBERS: Readonly<Record<string, RequestMember>> = {
  n: sets('sequenceCount', count(1, 128)),
  stop: sets('stop', Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 64 })]), (stop) =>
    (typeof stop === 'string' ? [stop] : stop).filter((text) => text !== ''),
  ),
  seed: sets('seed', Type.Union([Type.Integer(), Type.BigInt()]), (seed) => BigInt.asUintN(64, BigInt(seed))),
  ...SAMPLING_MEMBERS,
  logit_bias: sets(
    'logitBias',
    Type.Record(Type.String({ pattern: '^[0-9]{1,9}$' }), numberSchema(OPENAI_LOGIT_BIAS_RANGE)),
  ),
  // Beyond OpenAI's own interface, named as other engines name them.
  ignore_eos: sets('ignoreEos', Type.Boolean()),
  stop_token_ids: sets(
    'stopTokenLists',
    Type.Array(count(0), { maxItems: REQUEST_LIMITS.tokenLists.max }),
    (ids) => ids.map((id) => [id]),
  ),
  bad_words: sets(
    'badWords',
    Type.Array(Type.String({ minLength: 1 }), { maxItems: REQUEST_LIMITS.words.max }),
  ),
  include_stop_str_in_output: sets('includeStop', Type.Boolean()),
  skip_special_tokens: sets('skipSpecialTokens', Type.Boolean()),
  truncate_prompt_tokens: sets('truncatePromptTokens', count(1)),
  priority: sets('priority', Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })),
  cache_salt: sets('cacheSalt', Type.String({ maxLength: REQUEST_LIMITS.idCharacters.max })),
};

export const REQUEST_SCHEMAS: Readonly<Record<string, TSchema>> = Object.fromEntries(
  Object.entries(REQUEST_MEMBERS).map(([name, { schema }]) => [name, schema]),
);

/** Names of the members by those of GenerateRequest. */
export const REQUEST_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(REQUEST_MEMBERS).map(([name, member]) => [member.sets, name]),
);

/** @param json passed the schema @returns the part of the text-level request that the members of both kinds set */
export function sharedFields(json: JsonObject): Omit<GenerateRequest, 'prompt'> {
  const fields = Object.entries(REQUEST_MEMBERS).map(([name, member]) => {
    const value = json[name] ?? member.default;
    return [member.sets, value === undefined ? undefined : member.read(value as never)] as const;
  });
  return present({ ...Object.fromEntries(fields), constraint: readConstraint(json) });
}
