/** Checks of a request's members. Unknown members are allowed: clients send many that do not matter here. */
import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { JsonObject } from '../json.js';
import { OpenAiRequestError } from './error.js';
import { FORM_MEMBERS, REQUEST_SCHEMAS } from './members.js';

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
 * @param own members that the kind has besides those of both kinds
 * @throws {OpenAiRequestError} that names the first wrong member
 */
export function requestReader<Own extends TProperties>(
  own: Own,
): (json: JsonObject) => JsonObject & Static<TObject<typeof FORM_MEMBERS & Own>> {
  const validator = Compile(Type.Object({ ...FORM_MEMBERS, ...REQUEST_SCHEMAS, ...own }));
  return (json) => {
    refuseGuided(json);
    if (validator.Check(json)) return json as JsonObject & Static<TObject<typeof FORM_MEMBERS & Own>>;
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
