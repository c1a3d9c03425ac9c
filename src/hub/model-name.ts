/** Names of models on a hub, as command lines write them. */
import { AloftError } from '../core/errors.js';

export interface ModelName {
  /** `ORG/NAME`. */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Type that the name of a GGUF file ends with, such as `Q4_K_M`. */
  readonly quantisation: string | undefined;
  /** Path of one GGUF file in the repository. */
  readonly file: string | undefined;
}

const SITE = /^(?:https?:\/\/)?(?:huggingface\.co|hf\.co)\//;
const NAME = /^(\w[\w.-]*\/\w[\w.-]*)(?::([\w./-]+))?$/;
/** Types of GGUF files; a branch or tag of such a name is given with `--revision`. */
const QUANTISATION = /^(?:(?:[IT]?Q\d|MXFP\d)\w*|F16|F32|BF16)$/i;

/** The name that a text is; undefined for other texts. @param text `ORG/NAME`, `ORG/NAME:REVISION` or `ORG/NAME:Q4_K_M` */
export function parseModelName(text: string): ModelName | undefined {
  const [, repository, suffix] = NAME.exec(text.replace(SITE, '')) ?? [];
  if (repository === undefined) return undefined;
  const isQuantisation = suffix !== undefined && QUANTISATION.test(suffix);
  return {
    repository,
    revision: isQuantisation || suffix === undefined ? 'main' : checkedRevision(suffix),
    quantisation: isQuantisation ? suffix : undefined,
    file: undefined,
  };
}

/** A revision becomes a path in the cache. @throws {AloftError} USAGE */
export function checkedRevision(text: string): string {
  if (/^\w[\w./-]*$/.test(text) && !text.split('/').includes('..')) return text;
  throw new AloftError(
    'USAGE',
    `'${text}' is no revision; give a branch, a tag or a commit, such as ORG/NAME:main.`,
  );
}
