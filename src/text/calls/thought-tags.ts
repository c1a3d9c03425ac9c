/** Tags around thoughts, by the names that other servers have for their parsers. */
import type { ThoughtTags } from '../../core/generate.js';
import { AloftError } from '../../core/errors.js';

const THINK: ThoughtTags = { begin: '<think>', end: '</think>' };

const TAGS: readonly { readonly names: readonly string[]; readonly tags: ThoughtTags }[] = [
  { names: ['deepseek_r1', 'deepseek_v3', 'qwen3', 'glm45', 'think'], tags: THINK },
  { names: ['mistral'], tags: { begin: '[THINK]', end: '[/THINK]' } },
  { names: ['seed_oss'], tags: { begin: '<seed:think>', end: '</seed:think>' } },
];

/** Names that `--reasoning-parser` takes. `none` leaves thoughts in the text. */
export const THOUGHT_NAMES: readonly string[] = ['none', ...TAGS.flatMap(({ names }) => names)];

/** Tags that a chat template knows. */
export function thoughtTagsOf(template: string): ThoughtTags | undefined {
  return TAGS.find(({ tags }) => template.includes(tags.end))?.tags;
}

/** @returns undefined for `none` @throws {AloftError} USAGE */
export function thoughtTagsNamed(name: string): ThoughtTags | undefined {
  const found = TAGS.find(({ names }) => names.includes(name));
  if (found !== undefined || name === 'none') return found?.tags;
  const message = `There is no reasoning parser '${name}'; use one of ${THOUGHT_NAMES.join(', ')}.`;
  throw new AloftError('USAGE', message);
}
