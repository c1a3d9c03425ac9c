/** Chat templates of our own writing, one for each family: tools, earlier calls, their results. */

const turns = (call: string, join = ''): string =>
  `{%- if tools %}{{ 'Tools: ' }}{% for tool in tools %}{{ tool.function | tojson }}{% endfor %}{{ '\\n' }}{% endif -%}
{%- for message in messages -%}
{{- '[' + message.role + ']' -}}
{%- if message.content %}{{ message.content }}{% endif -%}
{%- if message.tool_calls %}${call}{% endif -%}
{{- '[end]' -}}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '[assistant]' }}{% endif %}${join}`;

const each = (body: string): string => `{%- for call in message.tool_calls -%}${body}{%- endfor -%}`;
const NAME = '{{ call.function.name }}';
const ARGUMENTS = '{{ call.function.arguments | tojson }}';
const bare = (mark: string): string => `{{ '${mark}' }}`;

/** By the name of the format. */
export const FAMILY_TEMPLATES: Readonly<Record<string, string>> = {
  hermes: turns(
    each(
      `{{ '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}${ARGUMENTS}{{ '}\\n</tool_call>' }}`,
    ),
  ),
  llama3_json: turns(
    each(
      `{{ '{"name": "' + call.function.name + '", "parameters": ' }}${ARGUMENTS}{{ '}' }}{{ '; ' if not loop.last }}`,
    ),
    "{{ '<|python_tag|>' if builtin_tools }}",
  ),
  mistral: turns(
    `${bare('[TOOL_CALLS][')}${each(`{{ '{"name": "' + call.function.name + '", "arguments": ' }}${ARGUMENTS}{{ '}' }}{{ ', ' if not loop.last }}`)}${bare(']')}`,
  ),
  mistral_args: turns(each(`${bare('[TOOL_CALLS]')}${NAME}${bare('[ARGS]')}${ARGUMENTS}`)),
  deepseek_v3: turns(
    `${bare('<｜tool▁calls▁begin｜>')}${each(`{{ '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + call.function.name + '\\n\`\`\`json\\n' }}${ARGUMENTS}{{ '\\n\`\`\`<｜tool▁call▁end｜>' }}{{ '\\n' if not loop.last }}`)}${bare('<｜tool▁calls▁end｜>')}`,
  ),
  deepseek_v31: turns(
    `${bare('<｜tool▁calls▁begin｜>')}${each(`${bare('<｜tool▁call▁begin｜>')}${NAME}${bare('<｜tool▁sep｜>')}${ARGUMENTS}${bare('<｜tool▁call▁end｜>')}`)}${bare('<｜tool▁calls▁end｜>')}`,
  ),
  functionary: turns(each(`{{ '<function=' + call.function.name + '>' }}${ARGUMENTS}{{ '</function>' }}`)),
  'functionary_v3.2': turns(
    each(`{{ '>>>' if not loop.first }}{{ call.function.name + '\\n' }}${ARGUMENTS}`),
  ),
  functionary_v2: turns(
    each(
      `{{ '\\n<|from|>assistant\\n<|recipient|>' if not loop.first }}{{ call.function.name + '\\n<|content|>' }}${ARGUMENTS}`,
    ),
  ),
  pythonic: turns(
    `{{ '[' }}${each(`${NAME}{{ '(' }}{% for key, value in call.function.arguments.items() %}{{ key + '=' }}{{ value | tojson }}{{ ', ' if not loop.last }}{% endfor %}{{ ')' }}{{ ', ' if not loop.last }}`)}{{ ']' }}`,
    "{{ 'Write [name(key=value)].' if false }}",
  ),
  glm4: turns(each(`{{ call.function.name + '\\n' }}${ARGUMENTS}`), "{{ '<|observation|>' if false }}"),
  glm45: turns(
    each(
      `{{ '\\n<tool_call>' + call.function.name + '\\n' }}{% for key, value in call.function.arguments.items() %}{{ '<arg_key>' + key + '</arg_key>\\n<arg_value>' }}{{ value if value is string else value | tojson }}{{ '</arg_value>\\n' }}{% endfor %}{{ '</tool_call>' }}`,
    ),
  ),
  qwen3_coder: turns(
    each(
      `{{ '\\n<tool_call>\\n<function=' + call.function.name + '>\\n' }}{% for key, value in call.function.arguments.items() %}{{ '<parameter=' + key + '>\\n' }}{{ value if value is string else value | tojson }}{{ '\\n</parameter>\\n' }}{% endfor %}{{ '</function>\\n</tool_call>' }}`,
    ),
  ),
};
