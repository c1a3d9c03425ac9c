/** The parts of a Hugging Face `tokenizer.json` that we read ourselves, with the checks that the library does not make. */
import { AloftError } from '../../core/errors.js';
import { parseFileJson } from '../../core/file-json.js';

/** A token that is found in a text before the model sees it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out of plain text. */
  readonly special: boolean;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly normalized?: boolean;
}

/** One stage of the tokenizer's pipeline: `{ "type": "ByteLevel", ... }`. */
export interface Component {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface HfTokenizerJson {
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly post_processor: Component | null;
  readonly decoder: Component | null;
  readonly model: Component;
}

/**
 * Parses the text of a `tokenizer.json`.
 * @throws {AloftError} TOKENIZER_INVALID naming `path`.
 */
export function parseTokenizerJson(text: string, path: string): HfTokenizerJson {
  const json = parseFileObject(text, path);
  const model = asComponent(json['model']);
  if (!model) throw invalid(path, 'has no "model" section; it is not a tokenizer.json');
  const tokenizer = {
    added_tokens: Array.isArray(json['added_tokens']) ? json['added_tokens'].filter(isAddedToken) : [],
    normalizer: asComponent(json['normalizer']),
    pre_tokenizer: asComponent(json['pre_tokenizer']),
    post_processor: asComponent(json['post_processor']),
    decoder: asComponent(json['decoder']),
    model,
  };
  checkTemplate(tokenizer, path);
  checkPrecompiled(tokenizer.normalizer, path);
  return tokenizer;
}

/** @throws {AloftError} TOKENIZER_INVALID when the text is not a JSON object. */
export function parseFileObject(text: string, path: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = parseFileJson(text).value;
  } catch (cause) {
    throw invalid(path, `is not valid JSON (${(cause as Error).message})`, cause);
  }
  if (!isRecord(json)) throw invalid(path, 'does not hold a JSON object');
  return json;
}

/** The stages of a component: those of a `Sequence`, itself, or none. */
export function stages(component: Component | null): readonly Component[] {
  if (!component) return [];
  if (component.type !== 'Sequence') return [component];
  const inner =
    component['normalizers'] ??
    component['pretokenizers'] ??
    component['processors'] ??
    component['decoders'];
  return Array.isArray(inner) ? inner.flatMap((entry) => stages(asComponent(entry))) : [];
}

/** A field that should hold text; `otherwise` when it does not. */
export function stringField(component: Component, field: string, otherwise: string): string {
  const value = component[field];
  return typeof value === 'string' ? value : otherwise;
}

export function invalid(path: string, fault: string, cause?: unknown): AloftError {
  return new AloftError(
    'TOKENIZER_INVALID',
    `${path} ${fault}; copy the file again from the checkpoint's publisher.`,
    { cause },
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asComponent(value: unknown): Component | null {
  if (!isRecord(value)) return null;
  // Old files leave out the model's type; it was always BPE then.
  return { ...value, type: typeof value['type'] === 'string' ? value['type'] : 'BPE' };
}

function isAddedToken(value: unknown): value is AddedToken {
  return isRecord(value) && typeof value['id'] === 'number' && typeof value['content'] === 'string';
}

/** The library ends the whole process when a template names a token that it does not define. */
function checkTemplate(tokenizer: HfTokenizerJson, path: string): void {
  for (const stage of stages(tokenizer.post_processor)) {
    if (stage.type !== 'TemplateProcessing') continue;
    const known = isRecord(stage['special_tokens']) ? stage['special_tokens'] : {};
    const pieces = [stage['single'], stage['pair']].flatMap((list) => (Array.isArray(list) ? list : []));
    for (const piece of pieces) {
      const special: unknown = isRecord(piece) ? piece['SpecialToken'] : undefined;
      if (!isRecord(special) || String(special['id']) in known) continue;
      throw invalid(
        path,
        `uses "${String(special['id'])}" in post_processor without defining it in special_tokens`,
      );
    }
  }
}

/** The library ends the whole process when the character map is malformed. Its first 4 bytes are the length of a trie. */
function checkPrecompiled(normalizer: Component | null, path: string): void {
  for (const stage of stages(normalizer)) {
    if (stage.type !== 'Precompiled') continue;
    const map = Buffer.from(stringField(stage, 'precompiled_charsmap', ''), 'base64');
    const trieBytes = map.length >= 4 ? map.readUInt32LE(0) : 0;
    if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > map.length)
      throw invalid(path, 'has a truncated precompiled_charsmap in its normalizer');
  }
}
