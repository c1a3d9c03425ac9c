import { expect, it } from 'vitest';
import { ChatTemplate } from './chat-template.js';

// The right column is what Jinja2 (Python) gives.
it.each([
  [`'' == false`, 'false'],
  [`'' != false`, 'true'],
  [`'1' == 1`, 'false'],
  ['1 == true', 'true'],
  ['1 == 1.0', 'true'],
  ['missing == missing', 'true'],
  ['none == none', 'true'],
  [`[1, ['a']] == [1, ['a']]`, 'true'],
  ['[1] == [true]', 'true'],
  ['[1, 2] != [1]', 'true'],
  [`{'a': 1} == {'a': 1}`, 'true'],
  [`{'a': 1} == {'b': 1}`, 'false'],
  [`('a' == 'a') != (1 == 2)`, 'true'],
  [`'b' if messages[0].role == 'user' else 'c'`, 'b'],
  [`messages | selectattr('role') | list | length == 1 and not (1 != 1)`, 'true'],
])('%s is %s', (expression, expected) => {
  const template = new ChatTemplate(new Map([['default', `{{ ${expression} }}`]]), {}, 'test');
  expect(template.render([{ role: 'user', content: '' }], {})).toBe(expected);
});
