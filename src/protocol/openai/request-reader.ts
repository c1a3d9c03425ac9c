/** Checks of a request's members. Members that no list knows are allowed: clients send many that do not matter here. */
import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { JsonObject } from '../json.js';
import { OpenAiRequestError } from './error.js';
import { FORM_MEMBERS, REQUEST_SCHEMAS } from './members.js';
import { refuseUnhonoured, type RequestKind } from './unhonoured.js';

/**
 * A reader of one request kind.
 * @param own members that the kind has besides those of both kinds
 * @throws {OpenAiRequestError} that names the first wrong member
 */
export function requestReader<Own extends TProperties>(
  kind: RequestKind,
  own: Own,
): (json: JsonObject) => JsonObject & Static<TObject<typeof FORM_MEMBERS & Own>> {
  const validator = Compile(Type.Object({ ...FORM_MEMBERS, ...REQUEST_SCHEMAS, ...own }));
  return (json) => {
    refuseUnhonoured(kind, json);
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
