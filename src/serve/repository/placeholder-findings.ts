/** Findings about placeholders that a template has left in a config.pbtxt. */
import type { Placeholder } from '../../protocol/grpc/config-text.js';
import { namesWithLines, type Finding } from './finding.js';

/** Parameters whose default is a guess at what only the user knows: which engine, tokenizer or model. */
const TO_FILL_IN: ReadonlySet<string> = new Set([
  'gpt_model_path',
  'tokenizer_dir',
  'tensorrt_llm_model_name',
]);

/** One finding for each that should be filled in, and one for all parameters that do well with their defaults. */
export function placeholderFindings(file: string, placeholders: readonly Placeholder[]): Finding[] {
  const hasDefault = ({ parameter, isQuoted }: Placeholder) =>
    isQuoted && parameter !== undefined && !TO_FILL_IN.has(parameter);
  const idle = placeholders.filter(hasDefault);
  const others = placeholders.filter((placeholder) => !hasDefault(placeholder));
  return [
    ...others.map((placeholder) => placeholderFinding(file, placeholder)),
    ...(idle.length === 0 ? [] : [defaultsFinding(file, idle)]),
  ];
}

function placeholderFinding(file: string, { line, key, isQuoted }: Placeholder): Finding {
  const severity = isQuoted ? 'warning' : 'error';
  const fate = isQuoted ? 'it counts as unspecified' : 'the file cannot be read';
  const message = `the template's placeholder \${${key}} is not filled in, so ${fate}; put the value of '${key}' there.`;
  return { severity, file, line, message };
}

function defaultsFinding(file: string, placeholders: readonly Placeholder[]): Finding {
  const parts = placeholders.map(({ parameter = '', line }) => ({ name: parameter, line }));
  const subject =
    parts.length === 1
      ? '1 parameter is left as a placeholder and takes its default'
      : `${parts.length} parameters are left as placeholders and take their defaults`;
  const message = `${subject}: ${namesWithLines(parts)}.`;
  return { severity: 'warning', file, line: parts[0]?.line, message };
}
