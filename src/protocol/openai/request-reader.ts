/** Checks of a request's members, for both kinds of requests. */
import type { Static, TObject, TProperties } from 'typebox';
import { type MemberReader, memberReader } from '../conversation/member-reader.js';
import type { JsonObject } from '../json.js';
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
): MemberReader<typeof FORM_MEMBERS & Own> {
  const reader = memberReader({ ...FORM_MEMBERS, ...REQUEST_SCHEMAS, ...own });
  const read = (json: JsonObject) => {
    refuseUnhonoured(kind, json);
    return reader(json) as JsonObject & Static<TObject<typeof FORM_MEMBERS & Own>>;
  };
  return Object.assign(read, { schema: reader.schema });
}
