import type { Prompt } from '../../core/generate.js';
import { templateValues } from '../../text/template-values.js';

/** Chat templates are programs for Python, which reads some JSON otherwise. @param text JSON of the whole request */
export function withPythonValues(prompt: Prompt, text: string): Prompt {
  if (prompt.type !== 'chat') return prompt;
  return { ...prompt, templateArguments: templateValues(text, prompt.templateArguments) };
}
