import { ALL_CHARACTERS } from '../code-points.js';
import type { NodeId } from '../grammar-builder.js';
import { regexNode } from '../regex/regex-node.js';
import { FORMATS, FREE_FORMATS } from './formats.js';
import { countRange, keywordText } from './keywords.js';
import { type Place, pointer, refuseSchema } from './places.js';
import type { SchemaContext } from './schema-context.js';

/** Longest least length beside a pattern: both must be counted at once there. */
const MAX_COUNTED_LENGTH = 256;

/**
 * Text between the quotes of a string that is valid at all places.
 * @param character one of a string that nothing but its length is asked of
 */
export function stringContent(compiler: SchemaContext, places: readonly Place[], character: NodeId): NodeId {
  const { builder } = compiler;
  const [min, max] = countRange(places, 'minLength', 'maxLength');
  const patterns = places.flatMap((place) => patternsOf(compiler, place));
  if (patterns.length === 0) return builder.repeat(character, min, max);
  const isCounted = min > 0 || Number.isFinite(max);
  const place = places.find((one) => one.schema['minLength'] === min);
  if (min > MAX_COUNTED_LENGTH)
    throw refuseSchema(
      pointer(place!.path, 'minLength'),
      `beside a pattern or a format at least ${MAX_COUNTED_LENGTH} characters can be asked for, not ${min}.`,
    );
  const counted = builder.repeat(compiler.text.characters(ALL_CHARACTERS), min, max);
  return builder.both(...(isCounted ? [counted] : []), ...patterns);
}

function patternsOf(compiler: SchemaContext, place: Place): NodeId[] {
  const pattern = keywordText(place, 'pattern');
  const format = keywordText(place, 'format');
  const isFree = format === undefined || FREE_FORMATS.has(format);
  if (!isFree && !Object.hasOwn(FORMATS, format))
    throw refuseSchema(
      pointer(place.path, 'format'),
      `the format ${JSON.stringify(format)} is not among ${Object.keys(FORMATS).join(', ')}.`,
    );
  return [
    ...(pattern === undefined
      ? []
      : [
          patternNode(compiler, pattern, {
            where: `pattern at ${pointer(place.path, 'pattern')}`,
            isSearch: true,
          }),
        ]),
    ...(isFree ? [] : [patternNode(compiler, FORMATS[format]!, { where: format, isSearch: false })]),
  ];
}

/** Strings, without their quotes, that a pattern matches. */
export function patternNode(
  { builder, text }: Pick<SchemaContext, 'builder' | 'text'>,
  pattern: string,
  options: { readonly where: string; readonly isSearch: boolean },
): NodeId {
  return regexNode(builder, pattern, { ...options, characters: (set) => text.characters(set) });
}
