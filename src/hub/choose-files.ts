/** Chooses the files of a repository that a build needs. Pure. */
import { AloftError } from '../core/errors.js';
import { NAMED_TEMPLATES, TOKENIZER_FILES } from '../core/tokenizer-files.js';
import type { ModelName } from './model-name.js';

/** Paths in a repository. */
export interface ChosenFiles {
  /** Small files: sizes, tokenizer, templates; empty for a GGUF file, which has all of them inside. */
  readonly texts: readonly string[];
  readonly weights: string;
  /** Whether `weights` is an index, which names the files that hold them. */
  readonly isIndex: boolean;
}

/** Files that a build reads besides weights. */
const TEXTS = ['config.json', 'modules.json', '1_Pooling/config.json', ...TOKENIZER_FILES];
const NAMED_TEMPLATE = new RegExp(String.raw`^${NAMED_TEMPLATES}/[^/]+\.jinja$`);

/** In the order in which they are looked for, which is that of a build. */
const WEIGHTS = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];
/** Type that is taken from a repository of several GGUF files when none is named. */
const USUAL_QUANTISATION = 'Q4_K_M';

/** @param paths all files of the repository @throws {AloftError} CHECKPOINT_NOT_FOUND, UNSUPPORTED */
export function chooseFiles(paths: readonly string[], name: ModelName): ChosenFiles {
  if (name.file !== undefined) return gguf(namedFile(paths, name.file, name), name);
  if (name.quantisation !== undefined) return gguf(quantisedFile(paths, name.quantisation, name), name);
  const weights = WEIGHTS.find((path) => paths.includes(path));
  if (weights === undefined || !paths.includes('config.json')) return gguf(anyGguf(paths, name), name);
  const texts = paths.filter((path) => TEXTS.includes(path) || NAMED_TEMPLATE.test(path));
  return { texts, weights, isIndex: weights.endsWith('.index.json') };
}

function gguf(path: string, { repository }: ModelName): ChosenFiles {
  if (/-\d+-of-\d+\.gguf$/i.test(path))
    throw new AloftError(
      'UNSUPPORTED',
      `${path} of ${repository} is one of several parts of a GGUF file, which Aloft does not read; name a model in one file, or in safetensors.`,
    );
  return { texts: [], weights: path, isIndex: false };
}

function namedFile(paths: readonly string[], file: string, { repository }: ModelName): string {
  if (!file.endsWith('.gguf'))
    throw new AloftError('USAGE', `--file is ${file}; it names a GGUF file. Leave it out for other models.`);
  if (paths.includes(file)) return file;
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    `${repository} has no file ${file}; it has ${listed(ggufFiles(paths))}.`,
  );
}

function quantisedFile(paths: readonly string[], quantisation: string, { repository }: ModelName): string {
  const files = ggufFiles(paths);
  const found = files.find((path) => hasQuantisation(path, quantisation));
  if (found !== undefined) return found;
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    `${repository} has no GGUF file of type ${quantisation}; it has ${listed(files)}.`,
  );
}

function anyGguf(paths: readonly string[], { repository }: ModelName): string {
  const files = ggufFiles(paths);
  const usual =
    files.length === 1 ? files[0] : files.find((path) => hasQuantisation(path, USUAL_QUANTISATION));
  if (usual !== undefined) return usual;
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    files.length > 0
      ? `${repository} has several GGUF files; name the type of one, such as ${repository}:Q8_0, or --file: ${listed(files)}.`
      : `${repository} has no model that Aloft reads, which is config.json with model*.safetensors or pytorch_model*.bin, or a GGUF file; it has ${listed(paths)}.`,
  );
}

/** Files with a whole model: those for images beside it have a name of their own. */
function ggufFiles(paths: readonly string[]): string[] {
  return paths.filter((path) => path.endsWith('.gguf') && !/(?:^|\/)mmproj/i.test(path));
}

/** `model-Q4_K_M.gguf`, `model.q4_k_m.gguf` or `Q4_K_M/model-Q4_K_M-00001-of-00002.gguf` */
function hasQuantisation(path: string, quantisation: string): boolean {
  const [type] = /(?<=[-._/]|^)[^-./]+(?=(?:-\d+-of-\d+)?\.gguf$)/i.exec(path) ?? [];
  return type?.toUpperCase() === quantisation.toUpperCase();
}

const MOST_LISTED = 12;

function listed(paths: readonly string[]): string {
  if (paths.length === 0) return 'none';
  const more = paths.length - MOST_LISTED;
  return `${paths.slice(0, MOST_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Paths of the files that an index of weights names. @param text JSON of the index @throws {AloftError} CHECKPOINT_CORRUPT */
export function filesOfIndex(text: string, path: string): string[] {
  const files = [...new Set(Object.values(weightMap(text)))];
  const isName = (file: unknown): file is string => typeof file === 'string' && !/[/\\]/.test(file);
  if (files.length > 0 && files.every(isName)) return files;
  throw new AloftError(
    'CHECKPOINT_CORRUPT',
    `${path} does not say which files hold the weights; name another revision.`,
  );
}

function weightMap(text: string): Record<string, unknown> {
  try {
    const { weight_map: map } = Object(JSON.parse(text)) as { weight_map?: unknown };
    return Object(map) as Record<string, unknown>;
  } catch {
    return {};
  }
}
