/** Checks of a request's members. Members that no list knows are allowed: clients send many that do not matter here. */
import { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { isObject, type JsonObject, type JsonValue } from '../json.js';
import { OpenAiRequestError } from '../openai/error.js';
import { firstFault } from './first-fault.js';

/** Reads the members of a request. @throws {OpenAiRequestError} that names the first wrong member */
export interface MemberReader<Members extends TProperties> {
  (json: JsonObject): JsonObject & Static<TObject<Members>>;
  /** JSON schema of what it takes. */
  readonly schema: TSchema;
}

export function memberReader<Members extends TProperties>(members: Members): MemberReader<Members> {
  const schema = Type.Object(members);
  const validator = Compile(schema);
  const read = (given: JsonObject): JsonObject & Static<TObject<Members>> => {
    if (validator.Check(given)) return given;
    const json = withDoubles(given, members);
    if (validator.Check(json)) return json;
    throw faultIn(json, members);
  };
  return Object.assign(read, { schema });
}

/** Integers that a double cannot hold, in members that take none: such as 2^63 - 1 for "as many as there are". */
function withDoubles(json: JsonObject, members: TProperties): JsonObject {
  const refused = Object.entries(members).flatMap(([name, schema]) => {
    const value = json[name];
    return value === undefined || Value.Check(schema, value) ? [] : [[name, asDoubles(value)] as const];
  });
  return { ...json, ...Object.fromEntries(refused) };
}

function asDoubles(value: JsonValue): JsonValue {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(asDoubles);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asDoubles(item)]));
}

/** Items of a member whose every fault is looked for; to list those of a hundred thousand takes a second. */
const MAX_EXPLAINED_ITEMS = 2048;

/** The fault of the first member that has one; only that member is looked into. */
function faultIn(json: JsonObject, members: TProperties): OpenAiRequestError {
  for (const [name, schema] of Object.entries(members)) {
    const value = json[name];
    if (value === undefined) {
      if (Type.IsOptional(schema)) continue;
      return new OpenAiRequestError(name, `The request lacks '${name}'.`);
    }
    if (Value.Check(schema, value)) continue;
    if (itemCount(value) > MAX_EXPLAINED_ITEMS)
      return new OpenAiRequestError(
        name,
        `'${name}' has more items than are accepted, or one of a wrong type.`,
      );
    const first = firstFault(Value.Errors(schema, value));
    const path = `${name}${(first?.instancePath ?? '').replaceAll('/', '.')}`;
    return new OpenAiRequestError(path, `'${path}' ${first?.message ?? 'is invalid'}.`);
  }
  return new OpenAiRequestError('', 'The request is invalid.');
}

function itemCount(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const items: readonly unknown[] = Object.values(value);
  return items.reduce((sum: number, item) => sum + 1 + itemCount(item), 0);
}
