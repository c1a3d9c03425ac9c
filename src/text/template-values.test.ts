import { describe, expect, it } from 'vitest';
import { ChatTemplate } from './chat-template.js';
import { templateValues } from './template-values.js';

/** The template's text for a request with these members. */
function render(source: string, json: string): string {
  const body = JSON.parse(json) as { chat_template_kwargs?: object; [name: string]: unknown };
  const { chat_template_kwargs: kwargs, ...members } = body;
  const values = templateValues(json, { ...kwargs, ...members });
  return new ChatTemplate(new Map([['default', source]]), {}, 'test').render([], values);
}

describe('arguments of a template', () => {
  it.each([
    [
      'floats of a tool',
      '{{ tools | tojson }}',
      '{"tools": [{"default": 1.0, "most": 1e2}]}',
      '[{"default": 1.0, "most": 100.0}]',
    ],
    [
      'keys that are numbers',
      '{{ tools[0] | tojson }}',
      '{"tools": [{"b": 1, "10": 2, "9": 3}]}',
      '{"b": 1, "10": 2, "9": 3}',
    ],
    [
      'large integers',
      '{{ documents[0].id }}',
      '{"documents": [{"id": 12345678901234567890}]}',
      '12345678901234567890',
    ],
    [
      'those within chat_template_kwargs',
      '{{ budget }} {{ share }}',
      '{"chat_template_kwargs": {"budget": 4, "share": 1.0}}',
      '4 1.0',
    ],
    [
      'a member before one in chat_template_kwargs',
      '{{ x }}',
      '{"x": 2.0, "chat_template_kwargs": {"x": 1.0}}',
      '2.0',
    ],
    ['texts and flags', '{{ a }} {{ b }} {{ c }}', '{"a": "1.0", "b": true, "c": null}', '1.0 True None'],
  ])('are what Python reads: %s', (_, source, json, expected) => {
    expect(render(source, json)).toBe(expected);
  });

  it('are given tools where the text has custom ones, and those of the text elsewhere', () => {
    const json = '{"tools": [{"type": "custom", "0": 1.0}, {"type": "function", "default": 1.0}]}';
    const shown = [{ type: 'function', function: {} }, { type: 'function' }];
    const values = templateValues(json, { tools: shown });
    const template = new ChatTemplate(new Map([['default', '{{ tools | tojson }}']]), {}, 'test');
    expect(template.render([], values)).toBe(
      '[{"type": "function", "function": {}}, {"type": "function", "default": 1.0}]',
    );
  });
});
