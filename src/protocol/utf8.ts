/** Text of a request as its bytes say. */
import { AloftError } from '../core/errors.js';

/**
 * A decoder that puts U+FFFD in the place of what it cannot read would have the model answer to another text.
 * @throws {AloftError} REQUEST_INVALID
 */
export function readUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = 'The JSON of the request is not UTF-8; encode it as UTF-8.';
    throw new AloftError('REQUEST_INVALID', message, { cause });
  }
}
