/** Names by which the OpenAI interface knows a model besides its own (`--served-model-name`). */
import { AloftError } from '../../core/errors.js';

export interface ServedName {
  readonly name: string;
  /** Undefined: the only model that is listed. */
  readonly model: string | undefined;
}

/** @param text `NAME`, or `NAME=MODEL` where a server has several models @throws {AloftError} USAGE */
export function parseServedName(text: string): ServedName {
  const cut = text.lastIndexOf('=');
  const name = cut < 0 ? text : text.slice(0, cut);
  const model = cut < 0 ? undefined : text.slice(cut + 1);
  if (name !== '' && model !== '') return { name, model };
  throw new AloftError('USAGE', `--served-model-name '${text}' must be NAME, or NAME=MODEL.`);
}
