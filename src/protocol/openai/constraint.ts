/** Forms that an answer must have, by the members of OpenAI, vLLM and llama.cpp that ask for them. */
import type { Constraint } from '../../core/constraint.js';
import { structuralTag } from '../constraint-guide.js';
import { isObject, type JsonObject, type JsonValue } from '../json.js';
import { OpenAiRequestError } from './error.js';

type Read = (value: JsonValue, member: string) => Constraint | undefined;

/** Members of requests. `null` says nothing, as everywhere. */
const MEMBERS: Readonly<Record<string, Read>> = {
  response_format: formatConstraint,
  structured_outputs: readStructured,
  guided_json: readSchema,
  guided_regex: readRegex,
  guided_choice: readChoice,
  guided_grammar: readGrammar,
  json_schema: readSchema,
  grammar: (value, member) => (value === '' ? undefined : readGrammar(value, member)),
};

/** Members of vLLM's `structured_outputs`. */
const STRUCTURED: Readonly<Record<string, Read>> = {
  json: readSchema,
  regex: readRegex,
  choice: readChoice,
  grammar: readGrammar,
  structural_tag: readTag,
  json_object: (value, member) => {
    if (typeof value !== 'boolean') throw fault(member, 'true or false');
    return value ? { type: 'json_object' } : undefined;
  },
};

/** Names of all members that ask for a form. */
export const CONSTRAINT_MEMBERS: readonly string[] = Object.keys(MEMBERS);

/** @throws {OpenAiRequestError} for a wrong value, and for two members that both ask for a form */
export function readConstraint(json: JsonObject): Constraint | undefined {
  return onlyOne(json, MEMBERS, '');
}

function onlyOne(
  json: JsonObject,
  members: Readonly<Record<string, Read>>,
  path: string,
): Constraint | undefined {
  let found: { readonly member: string; readonly constraint: Constraint } | undefined;
  for (const [name, read] of Object.entries(members)) {
    const value = json[name];
    if (value === undefined || value === null) continue;
    const member = `${path}${name}`;
    const constraint = read(value, member);
    if (constraint === undefined) continue;
    if (found !== undefined)
      throw new OpenAiRequestError(
        member,
        `'${found.member}' and '${member}' both ask for a form of the answer; send one of them.`,
      );
    found = { member, constraint };
  }
  return found?.constraint;
}

/** The member `response_format`, or another of its form. @throws {OpenAiRequestError} */
export function formatConstraint(value: JsonValue, member: string): Constraint | undefined {
  const type = isObject(value) ? value['type'] : undefined;
  if (type === 'text') return undefined;
  if (type === 'json_object') return { type };
  if (type === 'structural_tag') return readTag(value, member);
  const path = `${member}.json_schema`;
  const schema = isObject(value) ? value['json_schema'] : undefined;
  if (type !== 'json_schema')
    throw new OpenAiRequestError(
      member,
      `'${member}' has the type ${JSON.stringify(type) ?? 'undefined'}, but must be of type 'text', 'json_object', 'json_schema' or 'structural_tag'.`,
    );
  if (!isObject(schema) || schema['schema'] === undefined)
    throw new OpenAiRequestError(path, `'${path}' must be an object with a 'schema'.`);
  return readSchema(schema['schema'], `${path}.schema`);
}

function readStructured(value: JsonValue, member: string): Constraint | undefined {
  if (!isObject(value)) throw fault(member, 'an object');
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(STRUCTURED, name) && value[name] !== null);
  if (unknown !== undefined)
    throw new OpenAiRequestError(
      `${member}.${unknown}`,
      `'${member}.${unknown}' is not supported; use one of ${Object.keys(STRUCTURED).join(', ')}.`,
      'UNSUPPORTED',
    );
  return onlyOne(value, STRUCTURED, `${member}.`);
}

/** A schema, or the text of one. */
function readSchema(value: JsonValue, member: string): Constraint {
  const schema: unknown = typeof value === 'string' ? parsed(value, member) : inDoubles(value);
  if (
    typeof schema === 'boolean' ||
    (typeof schema === 'object' && schema !== null && !Array.isArray(schema))
  )
    return { type: 'json_schema', schema };
  throw fault(member, 'a JSON schema: an object, true or false');
}

function parsed(text: string, member: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw fault(member, 'an object, or the JSON text of one');
  }
}

/** Wide integers as the numbers that a schema means. */
function inDoubles(value: JsonValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(inDoubles);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inDoubles(inner)]));
}

/** A structural tag, or the text of one. */
function readTag(value: JsonValue, member: string): Constraint {
  const tag: unknown = typeof value === 'string' ? parsed(value, member) : inDoubles(value);
  try {
    return structuralTag(tag);
  } catch (refusal) {
    throw new OpenAiRequestError(member, `'${member}' is refused: ${(refusal as Error).message}`);
  }
}

function readRegex(value: JsonValue, member: string): Constraint {
  if (typeof value !== 'string') throw fault(member, 'a regular expression');
  return { type: 'regex', pattern: value };
}

function readGrammar(value: JsonValue, member: string): Constraint {
  if (typeof value !== 'string') throw fault(member, "a grammar in GBNF or in Lark's notation");
  return { type: 'grammar', grammar: value };
}

function readChoice(value: JsonValue, member: string): Constraint {
  const choices = Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
  if (!Array.isArray(value) || choices.length === 0 || choices.length < value.length)
    throw fault(member, 'a list of texts, with at least one');
  return { type: 'choice', choices };
}

function fault(member: string, expected: string): OpenAiRequestError {
  return new OpenAiRequestError(member, `'${member}' must be ${expected}.`);
}
