/** Checks of a request's members, for both kinds of requests. */
import type { Static, TObject, TProperties } from 'typebox';
import { memberReader } from '../conversation/member-reader.js';
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
): (json: JsonObject) => JsonObject & Static<TObject<typeof FORM_MEMBERS & Own>> {
  const read = memberReader({ ...FORM_MEMBERS, ...REQUEST_SCHEMAS, ...own });
  return (json) => {
    refuseUnhonoured(kind, json);
    return read(json) as JsonObject & Static<TObject<typeof FORM_MEMBERS & Own>>;
  };
}
