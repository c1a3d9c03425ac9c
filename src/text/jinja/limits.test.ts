/** No template and no request can hold the thread or fill the memory: each of these ends with a coded error. */
import { describe, expect, it } from 'vitest';
import { TEMPLATE_LIMITS } from './limits.js';
import { PythonError } from './python-error.js';
import { Template } from './template.js';

const LARGE_OBJECT = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i]));
const VARIABLES = { n: 2, s: 'Hello', large: LARGE_OBJECT, other: { ...LARGE_OBJECT } };

function errorOf(source: string, variables: Readonly<Record<string, unknown>> = VARIABLES): unknown {
  try {
    new Template(source).render(variables);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Sets `x` anew in each of many turns, from what it was. */
const repeated = (count: number, start: string, next: string): string =>
  `{% set ns = namespace(x=${start}, y=${start}) %}{% for i in range(${count}) %}{% set ns.x = ${next} %}{% endfor %}`;
const many = (work: string): string => `{% for i in range(100000) %}{% set x = ${work} %}{% endfor %}`;
const LONG = `{% set t = 'a' * 1000000 ~ n %}`;
const WIDE = `{% set t = '😀' * 500000 ~ n %}`;
const NESTED = repeated(100_000, '[]', '[ns.x]');
const DOUBLED = repeated(60, `['a' * 1000]`, '[ns.x, ns.x]');

describe.each([
  [
    'steps',
    /needs more than 5,000,000 steps/,
    [
      `{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}`,
      `{% macro m() %}{% for b in range(100000) %}{{ '' }}{% endfor %}{% endmacro %}{% for a in range(100000) %}{{ m() }}{% endfor %}`,
      `{{ [n] * 10 ** 9 }}`,
      `{{ [1] | batch(10 ** 9, 0) | list }}`,
      `{{ [1] | slice(10 ** 9) | list }}`,
      many('range(10000) | list | sort'),
      many('range(10000) | unique | list'),
      many('(range(100000) | list)[:1]'),
      many('large | length'),
      many('large == other'),
      many('large.copy()'),
      many('dict(**large)'),
      many('large | tojson'),
      many('large | dictsort'),
      `{% for i in range(100000) %}{% for k in large %}{% break %}{% endfor %}{% endfor %}`,
      ...[
        't | trim',
        `t == 'a' * 1000000 ~ 'b'`,
        `'b' in t`,
        '{t: 1}',
        'large[t]',
        't[1:]',
        't.count("a")',
      ].map((work) => LONG + many(work)),
      ...[
        't | length',
        `t.startswith('a')`,
        `t.find('a', 1)`,
        `t[::-1]`,
        `t.strip('x')`,
        't.title()',
        't.isalpha()',
      ].map((work) => WIDE + many(work)),
      // Each looks at a million characters one by one: fifty turns are not three hundred thousand steps, but many millions.
      ...[
        `t.strip('a')`,
        `t.find('ab')`,
        `t.rfind('ba')`,
        `t.count('ab')`,
        't.splitlines()',
        `t | trim('a')`,
      ].map((work) => `${LONG}{% for i in range(50) %}{% set x = ${work} %}{% endfor %}`),
      many('2 ** 60000 * n // 3'),
      many('(10 ** 4000 * n) | string'),
      `${repeated(60, '[1]', '[ns.x, ns.x]')}{% set a = ns.x %}${repeated(60, '[1]', '[ns.x, ns.x]')}{{ a == ns.x }}`,
      repeated(60, '[]', 'ns.x + [ns.x]') + '{{ ns.x }}',
      `{{ ('<a>' * 300000) | striptags }}`,
    ],
  ],
  [
    'levels of nesting',
    /needs more than 200 levels of nesting/,
    [
      '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}',
      '{% macro f(x) %}{{ f(x) ~ f(x) }}{% endmacro %}{{ f(1) }}',
      `{% macro f(x) %}{{ ${'x + '.repeat(190)}f(x) }}{% endmacro %}{{ f('1') }}`,
      `{% macro f(x) %}{{ f(x)${' | upper'.repeat(190)} }}{% endmacro %}{{ f('1') }}`,
      '{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}',
      '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}',
      '{% block a %}{{ self.a() }}{% endblock %}',
      `${NESTED}{{ ns.x }}`,
      `${NESTED}{{ ns.x | tojson }}`,
      `${NESTED}{{ ns.x | pprint }}`,
      `${NESTED}{{ [ns.x, [ns.x]] | sort }}`,
      `${repeated(100_000, '()', '(ns.x,)')}{{ {ns.x: 1} }}`,
    ],
  ],
  [
    'length of texts',
    /needs more than 16,777,216 characters (in one text|of output)/,
    [
      `{% for a in range(100000) %}{{ s * 1000 }}{% endfor %}`,
      repeated(100, `'a'`, 'ns.x ~ ns.x'),
      repeated(100, `'a'`, 'ns.x + ns.x'),
      `{{ s * 10 ** 9 }}`,
      `{{ s | center(10 ** 9) }}`,
      `{{ s.ljust(10 ** 12) }}{{ s.zfill(10 ** 9) }}`,
      `{{ '%1000000000d' % n }}`,
      `{{ '%*d' % (10 ** 9, n) }}`,
      `{{ '%.1000000000f' % n }}`,
      `{{ '{:1000000000}'.format(n) }}`,
      `{{ '{:0100000000,}'.format(n) }}`,
      `{{ '{:.100000000f}'.format(n) }}`,
      `{{ s | indent(10 ** 9, true) }}`,
      `{{ ('a\\n' * 100000) | indent(100000) }}`,
      `{{ [1] | tojson(indent=10 ** 9) }}`,
      `${repeated(150, '[1]', '[ns.x]')}{{ ns.x | tojson(indent=1000000) }}`,
      `{{ ('\\t' * 100000).expandtabs(100000) }}`,
      `{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}`,
      `{{ ('a' * 1000000).replace('', 'b' * 1000000) }}`,
      `{{ ('a' * 1000000).translate({97: 'b' * 1000000}) }}`,
      `{{ ('a' * 1000000) | join('b' * 1000000) }}`,
      `{{ ('{0}' * 100000).format('a' * 10000) }}`,
      `{{ ('%s' * 10000) % (('a' * 10000,) * 10000) }}`,
      `{{ strftime_now('%c' * 1000000) }}`,
      `${DOUBLED}{{ ns.x }}`,
      `${DOUBLED}{{ ns.x | tojson }}`,
      `${repeated(60, `('a' * 1000,)`, '(ns.x, ns.x)')}{{ {ns.x: 1} }}`,
    ],
  ],
  [
    'size of integers',
    /needs more than 65,536 bits in one integer/,
    [`{{ 3 ** (10 ** 9 * n) }}`, repeated(100, '3', 'ns.x * ns.x'), `{{ 1.5 | round(10 ** 9, 'ceil') }}`],
  ],
] as const)('%s', (_, message, sources) => {
  it.each(sources)('%s', (source) => {
    expect(errorOf(source)).toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

describe('requests', () => {
  it('cannot nest values too deep', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
    expect(errorOf('{{ deep }}', { deep })).toMatchObject({ code: 'REQUEST_INVALID' });
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(errorOf('', { circle })).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('of a megabyte are within the limits', () => {
    const messages = Array.from({ length: 1000 }, (_, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: `<why>${'x '.repeat(250)}</why>\n${'Grüße, 😀. '.repeat(50)}`,
    }));
    const source = `{% set ns = namespace(text='') %}{% for m in messages %}{% set c = m.content.split('</why>')[-1] | trim %}{% if '<|' not in c and m == messages[loop.index0] %}{% set ns.text = ns.text ~ '<|' ~ m.role ~ '|>' ~ c.strip('\\n').replace('\\r', '') ~ '\\n' %}{% endif %}{% endfor %}{{ ns.text | length }}`;
    expect(new Template(source).render({ messages }).text).toMatch(/^\d+$/);
  });
});

describe('templates', () => {
  it.each([
    ['parentheses', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`],
    ['lists', `{{ ${'['.repeat(5000)}${']'.repeat(5000)} }}`],
    ['not', `{{ ${'not '.repeat(5000)}1 }}`],
    ['signs', `{{ ${'-'.repeat(5000)}1 }}`],
    ['conditions', `{{ ${'1 if 1 else '.repeat(5000)}1 }}`],
    ['terms', `{{ 1${' + 1'.repeat(5000)} }}`],
    ['filters', `{{ 1${' | string'.repeat(5000)} }}`],
    ['attributes', `{{ a${'.b'.repeat(5000)} }}`],
    ['statements', `${'{% if 1 %}'.repeat(5000)}${'{% endif %}'.repeat(5000)}`],
    ['macros', `${'{% macro m() %}'.repeat(5000)}${'{% endmacro %}'.repeat(5000)}`],
  ])('cannot nest %s too deep', (_, source) => {
    const error = errorOf(source);
    expect(error).toBeInstanceOf(PythonError);
    expect(error).toMatchObject({
      type: 'TemplateSyntaxError',
      message: expect.stringMatching(/the limit$/),
    });
  });

  it.each([
    ['a long text', 'x{'.repeat(500_000)],
    ['many comments', '{##}'.repeat(100_000)],
    ['many tags', '{{a}}'.repeat(100_000)],
    ['a wide list', `{{ [${'1,'.repeat(100_000)}] | length }}`],
    ['many tests of a condition', `{% if 0 %}${'{% elif 0 %}'.repeat(20_000)}{% endif %}`],
    ['a large number', `{{ ${'9'.repeat(1_000_000)} }}`],
    ['an open text', `{{ '${'\\'.repeat(1_000_001)}`],
    ['spaces', `a${' '.repeat(1_000_000)}{% if 1 %}b{% endif %}`],
    ['raw text', `{% raw %}${'{% '.repeat(300_000)}{% endraw %}`],
  ])('of any form are read in time: %s', (_, source) => {
    expect(errorOf(source) ?? new PythonError('SyntaxError', '')).toBeInstanceOf(PythonError);
  });
});

it('limits can be lower', () => {
  const template = new Template('{% for i in range(100) %}{{ i }}{% endfor %}');
  expect(template.render({}).text).toHaveLength(190);
  expect(() => template.render({}, { limits: { ...TEMPLATE_LIMITS, maxSteps: 200 } })).toThrowError(
    /needs more than 200 steps/,
  );
});
