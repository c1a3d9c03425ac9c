/** All formats of calls, and which one a model has. */
import { AloftError, suggestion } from '../../core/errors.js';
import type { CallFormat } from './call-format.js';
import { DEEPSEEK_V3, DEEPSEEK_V31 } from './formats/deepseek.js';
import { FUNCTIONARY, FUNCTIONARY_RECIPIENTS, FUNCTIONARY_TURNS } from './formats/functionary.js';
import { GLM_4 } from './formats/glm4.js';
import { HERMES } from './formats/hermes.js';
import { LLAMA } from './formats/llama.js';
import { MISTRAL, MISTRAL_NAMED } from './formats/mistral.js';
import { PYTHONIC } from './formats/pythonic.js';
import { GLM_45, QWEN3_CODER } from './formats/tagged.js';

/** Those of which a template shows most come first: `<tool_call>` is a part of several. */
const FORMATS: readonly CallFormat[] = [
  DEEPSEEK_V3,
  DEEPSEEK_V31,
  MISTRAL_NAMED,
  MISTRAL,
  GLM_45,
  QWEN3_CODER,
  HERMES,
  FUNCTIONARY,
  FUNCTIONARY_RECIPIENTS,
  FUNCTIONARY_TURNS,
  PYTHONIC,
  LLAMA,
  GLM_4,
];

/** Names that `--tool-call-parser` takes. */
export const CALL_FORMAT_NAMES: readonly string[] = FORMATS.flatMap(({ names }) => names);

/** @throws {AloftError} USAGE */
export function callFormatNamed(name: string): CallFormat {
  const format = FORMATS.find(({ names }) => names.includes(name));
  if (format !== undefined) return format;
  const near = suggestion(name, CALL_FORMAT_NAMES);
  throw new AloftError(
    'USAGE',
    `There is no tool call parser '${name}'${near === undefined ? '' : ` (did you mean '${near}'?)`}; use one of ${CALL_FORMAT_NAMES.join(', ')}.`,
  );
}

/** Name of the format that a chat template asks for; undefined when it asks for none that is known. */
export function callFormatOf(template: string): string | undefined {
  return FORMATS.find(({ isAskedBy }) => isAskedBy(template))?.names[0];
}
