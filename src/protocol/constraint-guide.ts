/** Forms of answers as TensorRT-LLM's backend names them, and structural tags in JSON as its clients and vLLM's write them. */
import type { Constraint, TagStructure } from '../core/constraint.js';
import { AloftError } from '../core/errors.js';

/** Constraint by type of guide. */
const GUIDES: Readonly<Record<string, (guide: string) => Constraint>> = {
  json: () => ({ type: 'json_schema', schema: true }),
  json_schema: (guide) => ({ type: 'json_schema', schema: parsed(guide, 'a JSON schema') }),
  regex: (pattern) => ({ type: 'regex', pattern }),
  ebnf_grammar: (grammar) => ({ type: 'grammar', grammar }),
  structural_tag: (guide) => structuralTag(parsed(guide, 'a structural tag')),
};

const GUIDE_TYPES: readonly string[] = Object.keys(GUIDES);

/** @throws {AloftError} REQUEST_INVALID for an unknown type, or a guide that is missing or is not of its type */
export function constraintOfGuide(type: string | undefined, guide: string | undefined): Constraint {
  if (type === undefined || !Object.hasOwn(GUIDES, type))
    throw guideFault(
      `guided_decoding_guide_type is ${type === undefined ? 'missing' : JSON.stringify(type)}, but must be one of ${GUIDE_TYPES.join(', ')}.`,
    );
  if (type !== 'json' && !guide)
    throw guideFault(
      `guided_decoding_guide_type is '${type}', but guided_decoding_guide is missing; send both.`,
    );
  return GUIDES[type]!(guide ?? '');
}

/** @throws {AloftError} REQUEST_INVALID for a value that is none */
export function structuralTag(value: unknown): Constraint {
  const { structures, triggers } = (value ?? {}) as { structures?: unknown; triggers?: unknown };
  const areTexts = Array.isArray(triggers) && triggers.every((trigger) => typeof trigger === 'string');
  if (!areTexts || !Array.isArray(structures) || !structures.every(isStructure))
    throw guideFault(
      "A structural tag must be an object with 'structures' (each with 'begin', 'schema' and 'end') and 'triggers' (texts).",
    );
  return {
    type: 'structural_tag',
    structures: structures.map(({ begin, schema, end }) => ({ begin, schema, end })),
    triggers,
  };
}

function isStructure(value: unknown): value is TagStructure {
  const { begin, schema, end } = (value ?? {}) as Record<string, unknown>;
  return typeof begin === 'string' && typeof end === 'string' && schema !== undefined;
}

function parsed(guide: string, what: string): unknown {
  try {
    return JSON.parse(guide) as unknown;
  } catch (cause) {
    throw guideFault(`guided_decoding_guide is not ${what}: it is no valid JSON.`, cause);
  }
}

function guideFault(sentence: string, cause?: unknown): AloftError {
  return new AloftError('REQUEST_INVALID', sentence, cause === undefined ? undefined : { cause });
}
