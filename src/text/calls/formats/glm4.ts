/** GLM 4 and ChatGLM 3: the name of a tool in the first line, its arguments below. */
import type { CallFormat } from '../call-format.js';
import { readValue } from '../json-reading.js';

export const GLM_4: CallFormat = {
  names: ['glm4'],
  isAskedBy: (template) => template.includes('<|observation|>') && template.includes('tool_calls'),
  marks: [],
  shape: {
    start: '',
    opening: (name) => `${name}\n`,
    closing: '',
    between: undefined,
    finish: '',
    argumentsAs: 'json',
  },
  *read(input, parts, tools) {
    input.record('');
    yield* input.space();
    let name = '';
    const mark = yield* input.upTo(['\n', '{'], (text) => (name += text));
    const isCall = mark !== undefined && tools.some((tool) => tool.name === name.trim());
    if (isCall) yield* input.space();
    const recorded = input.recorded();
    if (!isCall || (yield* input.peek()) !== '{') parts.text(recorded);
    else {
      parts.call(name.trim());
      if ((yield* readValue(input, parts.arguments)) === 'complete') parts.callEnd();
    }
    yield* input.until([], parts.text);
  },
};
