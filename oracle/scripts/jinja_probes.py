"""Write what Python's Jinja makes of one-line templates.

Usage: jinja_probes.py OUT_DIR

Each line of PROBES is a template of its own, and so is each of several expressions on a line; the sign ⏎ stands for a
line break. All see VARIABLES.
"""

import json
import sys
from pathlib import Path

import jinja2

from common import write_json
from jinja.environment import make_environment, provenance_with, render

VARIABLES = json.loads(r"""{
 "messages": [
  {"role": "system", "content": "Be brief."},
  {"role": "user", "content": "Hello\n  world "},
  {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
    "function": {"name": "f", "arguments": {"k": 1, "items": [true, null, 2.5]}}}]},
  {"role": "tool", "content": "ok", "tool_call_id": "c1"}
 ],
 "tools": [{"type": "function", "function": {"name": "f", "description": "d",
   "parameters": {"type": "object", "properties": {"items": {"type": "string"}, "keys": {"type": ["string", "null"]}}, "required": ["items"]}}}],
 "nothing": null, "yes": true, "no": false, "zero": 0, "n": 7, "neg": -7, "x": 2.5, "big": 12345678901,
 "s": "Hello, World", "empty": "", "u": "naïve Straße 😀 ﬁ", "lines": "a\nb\r\nc\n\n d", "html": "<a href='x'>T & \"q\"</a>",
 "list": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "nested": [[1, [2, 3]], ["a", {"b": null}]], "none_list": [],
 "d": {"b": 2, "a": 1, "C": 3}, "p": {"items": [1], "b": 2, "get": "g"}, "users": [
  {"name": "Zoë", "age": 30, "city": "Paris", "tags": ["x"]}, {"name": "adam", "age": 25, "city": "rome"},
  {"name": "Bob", "age": 30, "city": "paris", "tags": []}, {"name": "eve", "age": 8, "city": "Rome"}]
}""")

PROBES = r"""
{{ 1 }} {{ 1.0 }} {{ -1 }} {{ 1e20 }} {{ 1e16 }} {{ 1e15 }} {{ 1.5e-5 }} {{ 0.0001 }} {{ 123456789012345678901234567890 }}
{{ true }} {{ false }} {{ none }} {{ True }} {{ False }} {{ None }}
{{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1_000_000 }} {{ 1_0.5_0 }} {{ 2e3 }} {{ 1E-3 }}
{{ 'a' "b" }} {{ 'it''s' }} {{ "it's" }} {{ 'a\tb\\n\x41\u00e9\U0001F600\101\q' }}
{{ 'a⏎b' }}
{{ [] }} {{ {} }} {{ () }} {{ (1,) }} {{ (1, 2) }} {{ [1, 'a', none, true, 2.0] }} {{ {'a': [1], 2: (3,), none: 1.5} }}
{{ ['it\'s', "say \"x\"", 'both \' and "', 'n\n\t\r\\', 'é😀\x00\x7f\u200b\xa0\u3000\ud800'] }}
{{ [1,2,] }} {{ {'a':1,} }} {{ (1,2,) }}
{{ 1, 2 }}
{{ {'a': 1, 'a': 2, 1: 'x', true: 'y', 1.0: 'z'} }}
{{ messages[2] }}
{{ nested }} {{ d }} {{ u }} {{ [u] }}
{{ [x, 1/3, 100.0, 1e100, -0.0, 2.0**70] }}
{{ undefined_name }}|{{ undefined_name is defined }}|{{ messages[0].nope }}|{{ messages[9] }}|{{ d['zz'] }}
{{ [undefined_name] }} {{ undefined_name ~ 'x' }} {{ undefined_name | default('d') }} {{ undefined_name or 'o' }}
{{ undefined_name.a }}
{{ undefined_name['a'] }}
{{ messages[0].nope.deeper }}
{{ messages[9].role }}
{{ d['zz']['y'] }}
{{ nothing.x.y }}
{{ n.foo.bar }}
{{ list.foo.bar }}
{{ undefined_name() }}
{{ messages[0].nope() }}
{{ undefined_name + 1 }}
{{ 1 + undefined_name }}
{{ 'a' + undefined_name }}
{{ [1] + undefined_name }}
{{ undefined_name < 1 }}
{{ 1 < undefined_name }}
{{ -undefined_name }}
{{ undefined_name == nope }} {{ undefined_name != nope }} {{ undefined_name == none }} {{ undefined_name == '' }}
{{ undefined_name | length }} {{ undefined_name | list }} {{ 'x' in undefined_name }} {{ undefined_name | upper }}
{{ undefined_name in [1] }} {{ undefined_name | join(',') }} {{ undefined_name | first }} {{ undefined_name | last }}
{{ undefined_name in 'abc' }}
{% for x in undefined_name %}x{% else %}else{% endfor %}
{{ nothing | selectattr('a') | list }} {{ nothing | map('upper') | list }} {{ nothing | select | list }}
{{ nothing | list }}
{{ nothing | length }}
{{ nothing.foo }} {{ nothing['foo'] }} {{ nothing ~ 'a' }} {{ 'a' ~ none }}
{{ 'a' + none }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ d + d }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ -7.5 % 2 }} {{ 7.5 // 2 }} {{ -7.5 // 2 }}
{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ (-2) ** 3 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ 10 ** 30 }} {{ 2 ** 64 % 1000 }}
{{ 6 / 3 }} {{ 1 / 3 }} {{ 7 / 2 }} {{ 0 / 5 }} {{ -0.0 }} {{ 0.1 + 0.2 }} {{ 1e308 * 10 }} {{ big * big }} {{ big * big // big }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 / 0 }}
{{ 0 ** -1 }}
{{ 10.0 ** 400 }}
{{ true + true }} {{ true * 3 }} {{ -true }} {{ +false }} {{ true / 2 }} {{ false == 0 }} {{ true == 1.0 }} {{ 1 == 1.0 }} {{ '1' == 1 }}
{{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ 'ab' * -1 }} {{ [1, 2] * 2 }} {{ 2 * (1,) }} {{ [] * 5 }} {{ 'x' * true }}
{{ 'a' * 2.0 }}
{{ 'a' - 'b' }}
{{ [1] - [1] }}
{{ -'a' }}
{{ +[1] }}
{{ 'a' 'b' ~ 1 ~ 2.0 ~ true ~ none ~ [1] }}
{{ 1 ~ 2 + 3 }} {{ 2 * 3 ~ 4 }} {{ 1 + 2 ~ 3 * 4 }}
{{ not true }} {{ not '' }} {{ not none }} {{ not 0.0 }} {{ not [] }} {{ not {} }} {{ not () }} {{ not 'a' }} {{ not not 1 }}
{{ 1 and 2 }} {{ 0 and 2 }} {{ '' or 'x' }} {{ 1 or 2 }} {{ none or false }} {{ 0 or [] or 'z' }} {{ 1 and '' or 'c' }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 >= 2 }} {{ 1 == 1 != 2 }} {{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ [1, 2] < [1, 3] }} {{ (1,) < (1, 0) }}
{{ '😀' > '\uffff' }} {{ 'é' < 'z' }} {{ 1 < 1.5 }} {{ 2**64 > 1e19 }} {{ 2**53 + 1 == 2.0**53 }} {{ true < 2 }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ [1] < (1,) }}
{{ d < d }}
{{ 1 in [1, 2] }} {{ 3 not in [1, 2] }} {{ 'a' in 'abc' }} {{ 'a' in d }} {{ 'q' not in d }} {{ 1.0 in [1] }} {{ true in [1] }} {{ none in [none] }} {{ '' in 'a' }} {{ 2 in range(3) }}
{{ 1 in 'a' }}
{{ 1 in 5 }}
{{ [1] in [[1]] }} {{ (1, 2) in {(1, 2): 3} }} {{ 'x' in ('x',) }} {{ not 'x' in 'y' }}
{{ [1] in d }}
{{ [1, [2]] == [1, [2]] }} {{ [1] == (1,) }} {{ {'a': 1} == {'a': 1.0} }} {{ d == {'C': 3, 'a': 1, 'b': 2} }} {{ (1, 2) == (1, 2) }} {{ range(3) == range(0, 3, 1) }}
{{ 'yes' if yes else 'no' }} {{ 'a' if no }}|{{ 'a' if no else 'b' if no else 'c' }} {{ ('a' if no) is defined }}
{{ ('a' if no).x }}
{{ (1 if yes else 2) + 3 }} {{ 1 if yes else 2 + 3 }} {{ [1 if no else 2] }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[:-2] }} {{ s[::3] }} {{ s[100:] }} {{ s[5:2] }} {{ s[-3:] }} {{ s[10:0:-3] }} {{ u[13:] }} {{ u[14] }} {{ u[::-1] }}
{{ list[0] }} {{ list[-1] }} {{ list[1:] }} {{ list[::-1] }} {{ list[5:] }} {{ list[:1] + list[1:] }} {{ (1, 2, 3)[1:] }} {{ range(10)[2:8:2] }} {{ range(10)[-1] }} {{ range(5)[::-1] }}
{{ list[true] }} {{ list['0'] }}|{{ list[1.0] }}|{{ s['x'] }}|{{ s[99] }}|{{ list[none] }}|{{ list.0 }} {{ nested.0.1.0 }} {{ list.9 }}
{{ s[1:2:0] }}
{{ list['a':] }}
{{ list[1.5:] }}
{{ d[1:] }}
{{ nothing[1:] }}
{{ undefined_name[1:] }}
{{ n[0] }}|{{ none['a'] }}|{{ true.x }}
{{ list[none:2] }} {{ s[:none] }} {{ list[-100:100] }} {{ list[2:-100:-1] }}
{{ d.a }} {{ d['a'] }} {{ d.get('a') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ p.items is callable }} {{ p['items'] }} {{ p['get'] }} {{ p.get('b') }}
{% for k, v in p.items() %}{{ k }}={{ v }},{% endfor %}
{% for k in d %}{{ k }},{% endfor %}|{% for v in d.values() %}{{ v }},{% endfor %}|{% for k in d.keys() %}{{ k }},{% endfor %}
{{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d.items() | list }} {{ d.keys() | list }} {{ d.items() | length }} {{ 'a' in d.keys() }} {{ 1 in d.values() }} {{ ('a', 1) in d.items() }}
{{ d.keys()[0] }}|{{ (d.keys() | list)[0] }} {{ d.items() | first }} {{ d.values() | last }} {{ d.values() | sum }} {{ d.keys() == {'a': 0, 'b': 0, 'C': 0}.keys() }}
{{ d.copy() == d }} {{ dict(d, z=1) }} {{ dict([('a', 1), ['b', 2]]) }} {{ dict(a=1) }} {{ dict() }} {{ {}.fromkeys('ab', 0) }}
{{ dict([1]) }}
{{ dict(1) }}
{{ dict('ab') }}
{{ d.pop('a') }}
{{ d.update({'a': 2}) }}
{{ d.clear() }}
{{ d.setdefault('a', 1) }}
{{ list.append(1) }}
{{ list.sort() }}
{{ list.pop() }}
{{ list.append }}|{{ d.update is defined }}|{{ list.extend | default('x') }}
{{ s.__class__ }}|{{ s.__class__.__mro__ }}
{{ s.__class__.__mro__.x }}
{{ s.__class__() }}
{{ s['__class__'] }}|{{ d.__init__ }}|{{ s._private }}|{{ s | attr('__class__') }}
{{ list.__len__() }}
{{ ''.__class__.__base__.__subclasses__() }}
{{ {'_a': 1, '__b': 2}._a }} {{ {'__b': 2}.__b }} {{ {'__class__': 3}.__class__ }}|{{ {'__class__': 3}['__class__'] }}
{{ list.index(1) }} {{ list.count(3) }} {{ (1, 2, 1).count(1) }} {{ (1, 2).index(2) }} {{ list.copy() }} {{ [1, 2, 3, 2].index(2, 2) }}
{{ list.index(9) }}
{{ n.bit_length() }} {{ n.real }} {{ n.imag }} {{ n.numerator }} {{ true.real }} {{ x.real }} {{ x.is_integer() }} {{ (2.0).is_integer() }} {{ x.as_integer_ratio() }} {{ (255).bit_length() }} {{ n.denominator }}
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.capitalize() }} {{ s.swapcase() }} {{ u.upper() }} {{ u.title() }} {{ u.casefold() }} {{ 'ß'.upper() }} {{ 'ΑΣ'.lower() }} {{ "they're bill's".title() }}
{{ ' a b '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ '--a--'.lstrip('-') }}|{{ ' a\n'.lstrip('\n') }}|{{ 'abcba'.strip('ab') }}|{{ '\u3000\x1ca\x85'.strip() }}|{{ 'aa'.strip('a') }}|{{ 'ab'.strip('') }}
{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b '.split() }} {{ ' a  b c '.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'abab'.split('ab') }} {{ 'a b'.split(maxsplit=1) }}
{{ 'a'.split('') }}
{{ 'a'.split(1) }}
{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ 'a\x0bb\x0cc\x1cd\x85e\u2028f'.splitlines() }} {{ ''.splitlines() }} {{ '\n'.splitlines() }}
{{ 'a-b-c'.partition('-') }} {{ 'abc'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.rpartition('-') }}
{{ s.find('o') }} {{ s.find('o', 5) }} {{ s.find('zz') }} {{ s.rfind('o') }} {{ s.index('W') }} {{ s.rindex('l') }} {{ s.count('l') }} {{ s.count('') }} {{ s.find('o', 5, 7) }} {{ u.find('😀') }} {{ u.find('ﬁ') }} {{ s.find('') }} {{ ''.find('') }} {{ s.find('l', -3) }} {{ s.find('', 99) }} {{ 'aXbXc'.rfind('X', 0, 3) }} {{ 'aaa'.count('aa') }}
{{ s.index('q') }}
{{ s.rindex('q') }}
{{ s.startswith('He') }} {{ s.startswith(('x', 'H')) }} {{ s.endswith('ld') }} {{ s.endswith('x') }} {{ s.startswith('W', 7) }} {{ s.endswith('o', 0, 5) }} {{ s.startswith('') }} {{ s.startswith('H', 1) }}
{{ s.startswith(1) }}
{{ s.startswith(['H']) }}
{{ s.replace('l', 'L') }} {{ s.replace('l', 'L', 2) }} {{ s.replace('', '-') }} {{ s.replace('', '-', 2) }} {{ s.replace('zz', 'y') }} {{ 'aaa'.replace('aa', 'b') }} {{ s.replace('l', '') }} {{ 'a'.replace('a', 'aa', 0) }} {{ '😀'.replace('', '.') }}
{{ s.replace(1, 2) }}
{{ s.removeprefix('Hello') }} {{ s.removesuffix('World') }} {{ s.removeprefix('x') }} {{ s.removesuffix('') }}
{{ ','.join(['a', 'b']) }} {{ ''.join('abc') }} {{ ', '.join(d) }} {{ '-'.join(()) }} {{ '-'.join(words | map('upper')) }}
{{ ','.join([1, 2]) }}
{{ ','.join(1) }}
{{ 'a'.center(5) }}| {{ 'ab'.center(5, '*') }} {{ 'ab'.center(4, '*') }} {{ 'a'.center(4, '*') }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '0') }} {{ '-5'.zfill(4) }} {{ '+5'.zfill(4) }} {{ 'abc'.zfill(2) }} {{ 'a\tb'.expandtabs(4) }} {{ '😀'.rjust(3, '.') }}
{{ 'a'.center(5, 'ab') }}
{{ 'abc'.isalpha() }} {{ 'ab1'.isalnum() }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ '½'.isnumeric() }} {{ '²'.isdecimal() }} {{ '٣'.isdecimal() }} {{ ' '.isspace() }} {{ ''.isspace() }} {{ 'Ab'.isupper() }} {{ 'AB1'.isupper() }} {{ 'ab1'.islower() }} {{ '1'.islower() }} {{ 'Ab Cd'.istitle() }} {{ 'AB'.istitle() }} {{ 'a1'.isidentifier() }} {{ '1a'.isidentifier() }} {{ 'a\n'.isprintable() }} {{ 'é'.isascii() }} {{ 'abc'.isascii() }} {{ '一'.isnumeric() }} {{ 'ǅ'.istitle() }}
{{ 'abc'.translate({97: 'X', 98: none}) }} {{ 'abc'.translate(''.maketrans('ab', 'xy')) }} {{ 'abc'.translate(''.maketrans('a', 'x', 'c')) }} {{ ''.maketrans({'a': 'b'}) }}
{{ '{} {}'.format('a', 1) }} {{ '{1} {0}'.format('a', 'b') }} {{ '{x} {y}'.format(x=1, y=[2]) }} {{ '{{}}'.format() }} {{ '{0[a]} {0[b]}'.format(d) }} {{ '{0.real}'.format(5) }} {{ '{0[1]}'.format(list) }} {{ '{!r} {!s} {!a}'.format('é', 'é', 'é') }} {{ '{:>{w}}'.format('a', w=5) }} {{ '{a}'.format_map({'a': 1}) }}
{{ '{:>8}|{:<8}|{:^8}|{:*^9}|{:08.3f}|{:+d}|{:,}|{:_}|{:e}|{:%}|{:#x}|{:b}|{:c}|{:g}|{:n}|{!r:>6}'.format('a', 'b', 'c', 'd', 3.14159, 5, 1234567, 1234567, 12345.678, 0.256, 255, 5, 65, 1e10, 12, 'x') }}
{{ '{:.3}|{:10.2}|{}|{:,.2f}|{:010}|{:s}|{:d}|{:}|{:.0f}|{:#_x}|{:_b}|{:=+8d}'.format('abcdef', 'xyz', 1.0, 1234567.891, -42, 's', true, none, 2.5, 1234567, 123456789, -5) }}
{{ '{:.1}|{:.2}|{:.3}|{:5}|{:<5}|{:^5}|{:x}|{:X}|{:o}|{:#o}|{:#b}|{: d}|{:z.1f}|{:,}|{:g}|{:G}|{:E}|{:F}'.format(1.0, 12.0, 123.456, 1.5, 1.5, 1.5, 255, 255, 8, 8, 5, 5, -0.01, 1234.5, 1e-7, 1e-7, 1.5, 1.5) }}
{{ '{:05}|{:<05}|{:^05}|{:05,}|{:012,}|{:010.2f}|{:+.3e}|{:.3%}|{:}|{:5}|{:5}|'.format('a', 5, 5, 1234, 1234, -3.14159, 12345.6789, 0.12345, true, true, 'ab') }}
{{ '{'.format() }}
{{ '}'.format() }}
{{ '{}'.format() }}
{{ '{0} {}'.format(1) }}
{{ '{a}'.format() }}
{{ '{:d}'.format('a') }}
{{ '{:s}'.format(1) }}
{{ '{:x}'.format(1.5) }}
{{ '{:.2d}'.format(1) }}
{{ '{:5}'.format(none) }}
{{ '{:5}'.format([1]) }}
{{ '{:,}'.format('a') }}
{{ '{0.__class__}'.format('a') }}|{{ '{0._x}'.format(d) }}
{{ '%s %s' % ('a', 1) }} {{ '%s' % 'a' }} {{ '%d' % 5.7 }} {{ '%5.2f|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%e|%E|%g|%G|%c|%%|%r|%i|%u' % (3.14159, 5, 5, 5, 5, 255, 255, 255, 8, 12345.678, 12345.678, 1e-5, 1e20, 65, 'x', 3, 4) }}
{{ '%s' % [1] }} {{ '%s' % {'a': 1} }} {{ '%(a)s %(b)d' % {'a': 'x', 'b': 2} }} {{ '%s' % none }} {{ '%s' % true }} {{ 'a' % [] }} {{ 'a' % {} }} {{ '%s' % undefined_name }}| {{ '%5s|%-5s|%.2s' % ('a', 'b', 'cde') }} {{ '%*d|%-*d|%.*f' % (5, 1, 4, 2, 2, 1.005) }} {{ '%a' % 'é' }} {{ '%05.1f|%+.0e|%#.0f|%.3d' % (-2.345, 12345.0, 3.0, 7) }} {{ '%s' % ((1, 2),) }} {{ '%r' % 'it\'s' }} {{ '%f %f' % (1e308 * 10, -1e308 * 10) }}
{{ '%d' % 'a' }}
{{ '%x' % 1.5 }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ 'a' % 1 }}
{{ '%q' % 1 }}
{{ '%' % 1 }}
{{ '%(a)s' % 1 }}
{{ '%(q)s' % d }}
{{ '%d' % undefined_name }}
{{ '%c' % 'ab' }}
{{ '%s %s!' | format('a', 'b') }} {{ '%(x)s' | format(x=1) }} {{ 'plain' | format }} {{ '%s' | format([1]) }}
{{ '%s' | format(1, x=2) }}
{{ s | upper }} {{ s | lower }} {{ s | title }} {{ s | capitalize }} {{ "foo-bar (baz) [qux] {x} <y> o'neil" | title }} {{ none | upper }} {{ 5 | capitalize }} {{ true | lower }} {{ u | title }}
{{ ' a ' | trim }}| {{ 'xax' | trim('x') }} {{ none | trim }} {{ 5 | trim }} {{ '\n a \t' | trim }}|
{{ 'abc' | length }} {{ u | length }} {{ list | count }} {{ d | length }} {{ range(5) | length }} {{ '' | length }} {{ (1, 2) | length }}
{{ 5 | length }}
{{ words | map('upper') | length }}
{{ 'a' | center(5) }}| {{ 'abc' | center(2) }} {{ 'a' | center | length }}
{{ list | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ words | sort(reverse=true) }} {{ users | sort(attribute='age') | map(attribute='name') | list }} {{ users | sort(attribute='city,age') | map(attribute='name') | join(',') }} {{ d | sort }} {{ 'hello' | sort | join }} {{ [[2, 1], [1, 2]] | sort }} {{ users | sort(attribute='age', reverse=true) | map(attribute='name') | join(',') }}
{{ [1, 'a'] | sort }}
{{ [none, 1] | sort }}
{{ 5 | sort }}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(by='value') }} {{ d | dictsort(reverse=true) }} {{ d | dictsort(false, 'value', true) }}
{{ d | dictsort(by='x') }}
{{ list | dictsort }}
{{ words | unique | list }} {{ words | unique(true) | list }} {{ [1, 1.0, true, '1', 2] | unique | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }}
{{ [[1]] | unique | list }}
{{ list | min }} {{ list | max }} {{ words | min }} {{ words | max(case_sensitive=true) }} {{ users | min(attribute='age') }} {{ [] | min }}| {{ 'hello' | max }} {{ [1.5, 1] | min }} {{ users | max(attribute='name') }}
{{ [1, 'a'] | max }}
{{ list | sum }} {{ [0.1, 0.2, 0.3] | sum }} {{ users | sum(attribute='age') }} {{ [] | sum }} {{ [[1], [2]] | sum(start=[]) }} {{ list | sum(start=10) }} {{ [true, true] | sum }}
{{ ['a'] | sum }}
{{ ['a'] | sum(start='') }}
{{ list | first }} {{ list | last }} {{ s | first }} {{ s | last }} {{ d | first }} {{ d | last }} {{ [] | first }}| {{ [] | last }}| {{ range(3) | last }} {{ words | map('upper') | first }} {{ (1, 2) | last }} {{ d.items() | last }}
{{ words | map('upper') | last }}
{{ 5 | first }}
{{ list | reverse | list }} {{ s | reverse }} {{ (1, 2) | reverse | list }} {{ d | reverse | list }} {{ range(3) | reverse | list }} {{ words | map('upper') | reverse }} {{ u | reverse }} {{ d.items() | reverse | list }}
{{ 5 | reverse }}
{{ s | list }} {{ d | list }} {{ (1, 2) | list }} {{ range(3) | list }} {{ u | list }} {{ '' | list }}
{{ 5 | list }}
{{ list | join }} {{ list | join(', ') }} {{ users | join(';', attribute='name') }} {{ [1, none, true, 2.0, [1]] | join('-') }} {{ 'abc' | join('.') }} {{ d | join }} {{ [] | join('x') }}| {{ list | join(1) }} {{ list | join(d='+') }}
{{ 5 | join }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [] | batch(3) | list }} {{ 'abcde' | batch(2) | map('join') | list }} {{ [1, 2, 3] | batch(3, 0) | list }}
{{ [1, 2, 3, 4, 5, 6, 7] | slice(3) | list }} {{ [1, 2, 3, 4] | slice(3, 'x') | list }} {{ [] | slice(2) | list }} {{ [1] | slice(3) | list }}
{{ [1] | slice(0) | list }}
{{ users | groupby('age') }} {% for g in users | groupby('city') %}{{ g.grouper }}:{{ g.list | map(attribute='name') | join('+') }};{% endfor %} {% for k, l in users | groupby('city', case_sensitive=true) %}{{ k }}={{ l | length }},{% endfor %} {% for g in users | groupby('nope', default='-') %}{{ g[0] }}{{ g[1] | length }}{% endfor %} {{ (users | groupby('age') | first)[0] }}
{{ words | groupby(0) | list | length }}
{{ users | map(attribute='name') | list }} {{ users | map(attribute='tags.0', default='-') | list }} {{ words | map('upper') | list }} {{ words | map('replace', 'p', 'q') | list }} {{ list | map('string') | list }} {{ ['1', 'x'] | map('int', default=-1) | list }} {{ [[1, 2], [3]] | map('first') | list }} {{ users | map(attribute='zz') | list }} {{ nested | map(attribute=0) | list }} {{ ['a b'] | map('truncate', 1, true, '') | list }}
{{ list | map | list }}
{{ list | map('nope') | list }}
{{ list | map(nope) | list }}
{{ list | map(attribute='a', foo=1) | list }}
{{ list | select | list }} {{ [0, 1, '', 'a', none] | select | list }} {{ list | select('odd') | list }} {{ list | select('gt', 1) | list }} {{ list | reject('eq', 2) | list }} {{ [0, 1] | reject | list }} {{ words | select('in', ['fig', 'pear']) | list }} {{ list | select('divisibleby', 3) | list }} {{ [1, 'a', none, 2.5] | select('number') | list }} {{ [none, 1] | reject('none') | list }}
{{ users | selectattr('tags') | map(attribute='name') | list }} {{ users | selectattr('age', 'gt', 20) | map(attribute='name') | list }} {{ users | rejectattr('tags') | map(attribute='name') | list }} {{ users | selectattr('city', 'equalto', 'Rome') | list | length }} {{ users | rejectattr('age', 'lessthan', 26) | map(attribute='name') | list }} {{ users | selectattr('tags', 'defined') | list | length }} {{ messages | selectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list }} {{ messages | rejectattr('role', 'equalto', 'system') | map(attribute='role') | join(',') }} {{ users | selectattr('age', '>=', 30) | list | count }} {{ messages | selectattr('tool_calls.0.id', '==', 'c1') | list | length }}
{{ users | selectattr | list }}
{{ users | selectattr('age', 'nope') | list }}
{{ list | select('nope') | list }}
{{ [] | select('nope') | list }}
{{ 5 | select('odd') | list }}
{{ d | items | list }} {{ undefined_name | items | list }} {% for k, v in d | items %}{{ k }}{{ v }}{% endfor %}
{{ list | items | list }}
{{ none | items | list }}
{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ 5 | replace(5, 6) }} {{ s | replace('o', none) }} {{ none | replace('o', '0') }} {{ 'aaa' | replace('a', 'b', count=2) }}
{{ 'a\nb\n\nc' | indent }}| {{ 'a\nb' | indent(2, true) }}| {{ 'a\n\nb' | indent(2, blank=true) }}| {{ 'a\nb' | indent('> ') }}| {{ 'a\nb' | indent(width=1, first=true) }}| {{ '' | indent }}| {{ 'a\n' | indent }}|
{{ 5 | indent }}
{{ undefined_name | indent }}
{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '...', 0) }} {{ 'foo bar' | truncate(5, true, '', 0) }} {{ 'abcdefghijklmnop' | truncate(8, end='>') }} {{ [1, 2] | truncate }} {{ '😀😀😀😀😀😀😀😀😀😀😀' | truncate(5, true, '.', 0) }}
{{ 'foo' | truncate(1) }}
{{ 5 | truncate }}
{{ 'foo bar baz' | wordcount }} {{ "it's a-b c_d é1" | wordcount }} {{ '' | wordcount }} {{ 5 | wordcount }}
{{ 'The quick brown fox jumps over the lazy dog' | wordwrap(10) }}| {{ 'abcdefghijkl mno' | wordwrap(5) }}| {{ 'abcdefghijkl' | wordwrap(5, false) }}| {{ 'well-known self-made x' | wordwrap(8) }}| {{ 'well-known' | wordwrap(6, break_on_hyphens=false) }}| {{ 'a b\n\nc d' | wordwrap(1, wrapstring='/') }}| {{ 'a --- b--c -d e-f-g' | wordwrap(4) }}
{{ 'Look, goof-ball -- use the -b option! x-ray a-b-c-d well--known' | wordwrap(7) }}
{{ 'x' | wordwrap(0) }}
{{ 5 | wordwrap }}
{{ '5' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ '0x1F' | int(base=16) }} {{ '1f' | int(0, 16) }} {{ '42.9' | int }} {{ 3.9 | int }} {{ -3.9 | int }} {{ none | int }} {{ true | int }} {{ ' 12 ' | int }} {{ '1_000' | int }} {{ '٣' | int }} {{ '0b11' | int(0, 2) }} {{ '0o17' | int(0, 0) }} {{ [] | int }} {{ '1e3' | int }} {{ 1e20 | int }} {{ '' | int }} {{ '-5' | int }} {{ '+5' | int }} {{ '0010' | int }} {{ 'inf' | int }} {{ '1__0' | int }}
{{ undefined_name | int }}
{{ undefined_name | float }}
{{ (x * 1e308) | int }}
{{ '5' | float }} {{ 'x' | float }} {{ 'x' | float(1.5) }} {{ 5 | float }} {{ true | float }} {{ none | float }} {{ '1e3' | float }} {{ ' 2.5 ' | float }} {{ 'inf' | float }} {{ '-Infinity' | float }} {{ 'nan' | float }} {{ '1_0.5' | float }} {{ '.5' | float }} {{ '5.' | float }} {{ '1_' | float }} {{ '٣.٥' | float }}
{{ 42.55 | round }} {{ 42.55 | round(1) }} {{ 42.55 | round(1, 'floor') }} {{ 42.55 | round(1, 'ceil') }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 0.5 | round }} {{ -2.5 | round }} {{ 2.675 | round(2) }} {{ 1234 | round(-2) }} {{ 1250 | round(-2) }} {{ 1234.5 | round(-2) }} {{ 5 | round }} {{ 5 | round(0, 'ceil') }} {{ 42.1 | round(0, 'ceil') | int }} {{ true | round }} {{ 1e300 | round(2) }} {{ 0.1 | round(20) }} {{ -0.4 | round }} {{ 2.5 | round(none) }}
{{ 'a' | round }}
{{ 1.5 | round(1, 'up') }}
{{ -5 | abs }} {{ (-5.5) | abs }} {{ true | abs }} {{ -0.0 | abs }} {{ -5 | abs * 2 }}
{{ 'a' | abs }}
{{ undefined_name | abs }}
{{ 1 | filesizeformat }} {{ 0 | filesizeformat }} {{ 999 | filesizeformat }} {{ 1000 | filesizeformat }} {{ 1300000 | filesizeformat }} {{ 1300000 | filesizeformat(true) }} {{ 1e30 | filesizeformat }} {{ '2048' | filesizeformat(binary=true) }} {{ 1.5 | filesizeformat }}
{{ 'a' | filesizeformat }}
{{ undefined_name | default }}| {{ none | default('x') }} {{ none | default('x', true) }} {{ '' | default('x', boolean=true) }} {{ 0 | d(5, true) }} {{ undefined_name | d('y') }} {{ messages[0].zz | default([]) }} {{ 'v' | default('x') }}
{{ html | e }} {{ html | escape }} {{ html | e | e }} {{ html | safe }} {{ html | forceescape }} {{ html | e | forceescape }} {{ 5 | e }} {{ none | e }} {{ [html | e] }} {{ ('<' | e) + '<' }} {{ '<' + ('<' | e) }} {{ ('%s' | e) % '<' }} {{ ('{}' | safe).format('<') }} {{ ('a' | e) ~ '<' }} {{ ('<b>' | safe).upper() }} {{ ('<' | e) * 2 }} {{ ('a,<' | safe).split(',') }} {{ ('-' | safe).join(['<', '<' | safe]) }} {{ ('abc' | safe)[1:] }} {{ ('a' | safe).replace('a', '<') }} {{ ('<' | safe) | upper }} {{ ('a' | e) == 'a' }} {{ 'a' in {'a' | e: 1} }} {{ ('<' | safe) | string | e }}
{{ '<p>a &amp; b</p>  <!-- c <i> --> d &lt;&copy;&#65;&#x42;&eacute;&hellip;' | striptags }} {{ 'a < b > c' | striptags }} {{ '<b' | striptags }} {{ 5 | striptags }} {{ '&ampx &nosuch; &notit;' | striptags }}
{{ {'class': 'a b', 'id': none, 'x': undefined_name, 'y': '<"'} | xmlattr }}| {{ {'a': 1} | xmlattr(false) }}| {{ {} | xmlattr }}|
{{ {'a b': 1} | xmlattr }}
{{ list | xmlattr }}
{{ 'a b/c?d=é&f' | urlencode }} {{ {'a b': 'c/d', 'e': 1} | urlencode }} {{ [('x', 'y z')] | urlencode }} {{ 5 | urlencode }} {{ '😀~-._!*()' | urlencode }} {{ none | urlencode }}
{{ 'see http://example.com/a?b=c. or www.example.org, (https://x.com) mail me@example.com <http://a.de> ftp://x not.a.link example.com 1.2.3.4 http://1.2.3.4:80/x mailto:a@b.co https://[::1]/ @a@b.c a_b@c.d' | urlize }}
{{ 'http://example.com/long/path x.com' | urlize(10, true, target='_blank') }} {{ 'tel:123 skype:abc' | urlize(extra_schemes=['tel:']) }} {{ 'a <b> www.x.com?q=1&r=2' | urlize(rel='me') }}
{{ 'x' | urlize(extra_schemes=['t']) }}
{{ d | tojson }} {{ messages[2] | tojson }} {{ u | tojson }} {{ html | tojson }} {{ [1, 2.0, 1e20, none, true, (1, 2)] | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 6} | tojson }} {{ 'a"\\\n\t\x01\x7f/\u2028' | tojson }} {{ {} | tojson }} {{ [] | tojson }} {{ '<' | e | tojson }}
{{ d | tojson(indent=2) }} {{ nested | tojson(indent=1) }} {{ {} | tojson(indent=2) }} {{ {'a': {}} | tojson(indent=2) }} {{ d | tojson(indent='->') }} {{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }} {{ u | tojson(ensure_ascii=true) }} {{ [[]] | tojson(indent=0) }} {{ d | tojson(indent=4, separators=(', ', ' = ')) }} {{ d | tojson(true) }} {{ [1e308 * 10, 'x' | float] | tojson }}
{{ undefined_name | tojson }}
{{ d.items() | tojson }}
{{ words | map('upper') | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ {1: 2, 'a': 3} | tojson(sort_keys=true) }}
{{ range(3) | tojson }}
{{ d | string }} {{ none | string }} {{ 2.0 | string }} {{ [1] | string | length }} {{ true | string }}
{{ s | attr('upper') is callable }} {{ d | attr('a') }}| {{ n | attr('real') }} {{ d | attr('items') is callable }}
{{ undefined_name | attr('x') }}
{{ d | pprint }} {{ nested | pprint }} {{ s | pprint }} {{ [] | pprint }} {{ (1,) | pprint }}
{{ users | pprint }}
{{ tools | pprint }}
{{ ('word ' * 40) | pprint }}
{{ {'text': 'word ' * 30, 'list': range(40) | list, 'b': {'c': 'd' * 90}} | pprint }}
{{ {2: 1, 'a': 2, none: 3} | pprint }}
{{ ['line one is long enough to be broken\nline two is long enough too, and more', 'x' * 100] | pprint }}
{{ s | nope }}
{{ s is nope }}
{% if no %}{{ s | nope }}{% endif %}ok
{% if yes %}{{ s | nope }}{% endif %}ok
{% if yes %}{{ s is nope }}{% endif %}ok
{{ s | nope if no else 'fine' }}
{{ 1 is defined }} {{ nope is defined }} {{ nope is undefined }} {{ none is none }} {{ 0 is none }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 0 is false }} {{ true is boolean }} {{ 1 is boolean }}
{{ 1 is number }} {{ 1.5 is number }} {{ true is number }} {{ '1' is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ 1 is float }} {{ 2.5 is float }} {{ 's' is string }} {{ 1 is string }} {{ ('a' | e) is string }}
{{ [] is sequence }} {{ 'a' is sequence }} {{ {} is sequence }} {{ () is sequence }} {{ 1 is sequence }} {{ range(2) is sequence }} {{ nope is sequence }} {{ d.items() is sequence }} {{ none is sequence }}
{{ [] is iterable }} {{ 'a' is iterable }} {{ {} is iterable }} {{ 1 is iterable }} {{ none is iterable }} {{ nope is iterable }} {{ (words | map('upper')) is iterable }} {{ d is mapping }} {{ [] is mapping }} {{ namespace() is mapping }} {{ nope is mapping }} {{ namespace() is iterable }}
{{ 3 is odd }} {{ 4 is odd }} {{ 4 is even }} {{ -3 is odd }} {{ 2.0 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ true is odd }}
{{ 'a' is odd }}
{{ none is even }}
{{ 4 is divisibleby 0 }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'Ab' is lower }} {{ '1' is upper }} {{ none is upper }} {{ 5 is lower }}
{{ 1 is eq 1 }} {{ 1 is equalto(1.0) }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 2 is greaterthan 3 }} {{ 1 is lt 2 }} {{ 1 is lessthan(1) }} {{ 1 is ge 1 }} {{ 1 is le 0 }} {{ 1 is sameas 1 }} {{ true is sameas true }} {{ none is sameas none }} {{ 1 is sameas true }} {{ 'a' is in 'abc' }} {{ 1 is in [1] }} {{ 'a' is not in ['b'] }} {{ 5 is in(range(6)) }}
{{ 1 is lt 'a' }}
{{ range is callable }} {{ 1 is callable }} {{ s.upper is callable }} {{ nope is callable }} {{ raise_exception is callable }} {{ namespace is callable }} {{ loop is callable }}
{{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }} {{ 'nope' is test }} {{ 'tojson' is filter }} {{ ('<' | e) is escaped }} {{ 'a' is escaped }}
{{ 1 is not none }} {{ not 1 is none }} {{ 1 is not string }} {{ nope is not defined }} {{ 1 is defined and 2 is defined }} {{ 1 is number or nope }} {{ 5 is number if yes else 3 }} {{ [1 is odd, 2 is odd] }}
{{ 1 is odd is true }}
{{ s is string | upper }} {{ (s | upper) is upper }} {{ s | upper is upper }} {{ -1 | abs }} {{ 2 ** -1 | abs }} {{ 'a' ~ 'b' | upper }} {{ 1 + 2 | string }} {{ not s | length > 3 }} {{ s | length > 3 and n }}
{{ 1 + 2 | string ~ 3 }}
{{ range(3) }} {{ range(1, 4) }} {{ range(0, 10, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ range(3).start }} {{ range(2, 9, 3).step }} {{ range(3)[1] }} {{ range(3)[9] }}| {{ 2 in range(0, 6, 2) }} {{ range(3) | sum }} {{ range(3).count(1) }} {{ range(4).index(2) }}
{{ range(0, 10, 0) }}
{{ range('a') }}
{{ range(1.5) }}
{{ range() }}
{{ range(100001) | length }}
{{ range(100000) | length }} {{ range(0, -100000, -1) | last }}
{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.pos }}{{ c.reset() }}{{ c.current }}{{ c.items }}
{{ cycler() }}
{% set j = joiner('|') %}{% for x in list %}{{ j() }}{{ x }}{% endfor %}{{ j.sep }}{{ j.used }}{% set k = joiner() %}{{ k() }}{{ k() }}
{% set ns = namespace(a=1, b='x') %}{{ ns.a }}{{ ns.b }}{{ ns.c }}|{{ ns }}{% set ns.a = 5 %}{% set ns.new = [1] %}{{ ns.a }}{{ ns.new }}{{ ns['a'] }}{{ namespace({'q': 1}, w=2) }}{{ ns.c is defined }}
{% set d.a = 1 %}
{% set nope.a = 1 %}
{% set ns = namespace() %}{% for i in list %}{% set ns.last = i %}{% set ns.total = ns.total | default(0) + i %}{% endfor %}{{ ns.last }} {{ ns.total }}
{{ raise_exception('no!') }}
{{ raise_exception() }}
{{ raise_exception(5) }}
{{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%d %b %Y') }} {{ strftime_now('%A, %B %e, %I:%M %p %j %U %W %y %a %-d %-m %w %u %%') }} {{ strftime_now('%D %F %T %R %C %h %n%t| %G-%V %g %c|%x|%X') }} {{ strftime_now('%H%M%S.%f %k %l %P %z%Z') }} {{ strftime_now('') }}|{{ strftime_now('plain é') }}
{{ strftime_now(5) }}
{{ lipsum is defined and lipsum is callable or true }}
{{ dict }} {{ namespace }} {{ cycler }} {{ joiner }}
{{ self }}|{{ loop }}|{{ caller }}
{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}
{% for x in list %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }};{% endfor %}
{% for x in list %}{{ loop }}{% endfor %}
{% for x in list if x != 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }},{% endfor %}
{% for x in list if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for x in [] %}x{% else %}empty{% endfor %} {% for x in list %}{% break %}{% else %}broken first{% endfor %} {% for x in list %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}never{% endfor %} {% for x in list %}{% continue %}{% else %}all continued{% endfor %}
{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %} {% for x in range(10) %}{% if x > 3 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}{{ b }},{% endfor %} {% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %} {% for (k, v) in d.items() %}{{ k }}{{ v }}{% endfor %} {% for a, in [(1,)] %}{{ a }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [(1,)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for c in 'héy😀' %}[{{ c }}]{% endfor %} {% for k in d %}{{ k }}{% endfor %} {% for x in (1, 2) %}{{ x }}{% endfor %} {% for x in 1, 2 %}{{ x }}{% endfor %} {% for x in words | map('upper') %}{{ x }}{% endfor %}
{% for x in list recursive %}{{ x }}{% if x == 3 %}({{ loop([7, 8]) }}){% endif %}{{ loop.depth }},{% endfor %}
{% for n in [{'v': 1, 'c': [{'v': 2, 'c': [{'v': 3}]}, {'v': 4}]}] recursive %}{{ n.v }}@{{ loop.depth0 }}{% if n.c %}[{{ loop(n.c) }}]{% endif %}{% endfor %}
{% for x in list %}{{ loop([1]) }}{% endfor %}
{% for x in list recursive %}{{ loop() }}{% endfor %}
{% for x in [1, 2] recursive %}{% if x == 1 %}{{ loop([3] if loop.depth < 2 else []) }}{% endif %}{{ x }}{% else %}E{% endfor %}
{% for x in list %}{% for y in 'ab' %}{{ x }}{{ y }}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}
{% for x in list %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for i in range(3) %}{{ i }}{% set i = 9 %}{{ i }}{% endfor %}{{ i }}|
{% set x = 1 %}{% for i in range(2) %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% for i in range(2) %}{{ y }}{% set y = i %}{{ y }}{% endfor %}{{ y }}|
{% if yes %}{% set q = 1 %}{% endif %}{{ q }} {% if no %}{% set s = 1 %}{% endif %}{{ s }} {% if no %}{% set r = 1 %}{% endif %}{{ r }}|
{% for i in [1] %}{{ n }}{% endfor %}{% set n = 2 %}{{ n }}
{{ n }}{% set n = 2 %}{{ n }}
{% for i in [1, 2] %}{% if i == 1 %}{% set z = 'set' %}{% endif %}{{ z }},{% endfor %}{{ z }}|
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (c, d2) = [3, 4] %}{{ c }}{{ d2 }}{% set t = 1, 2 %}{{ t }}
{% set a, b = 1 %}
{% set a, b = [1] %}
{% set x %}block {{ n }}{% endset %}[{{ x }}]{% set y | upper %}abc{% endset %}{{ y }}{% set w | replace('a', 'b') | upper %}aa{% endset %}{{ w }}{{ x is string }}
{% set ns = namespace() %}{% set ns.x %}abc{% endset %}{{ ns.x }}
{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}| {% with %}x{% endwith %} {% set a = 5 %}{% with a = a + 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }} {% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}
{% macro f(a, b=2, *c) %}{% endmacro %}
{% macro f(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(b=1, a=2) }} {{ f() }} {{ f }} {{ f.name }} {{ f.arguments }} {{ f(f(1)) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(a) %}{{ a.x }}{% endmacro %}{{ f() }}
{% macro f(a) %}{{ a + 1 }}{% endmacro %}{{ f() }}
{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, z=4) }} {{ f() }}
{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}x{% endcall %} {% macro g() %}{{ caller('a', b=1) }}{% endmacro %}{% call(x, b=2) g() %}{{ x }}{{ b }}{% endcall %} {% macro h() %}{{ caller is defined }}{% endmacro %}{{ h() }}
{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}
{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}
{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }} {% macro g(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ g() }} {{ g(b=2) }}
{% macro fact(n) %}{% if n < 2 %}1{% else %}{{ n * (fact(n - 1) | int) }}{% endif %}{% endmacro %}{{ fact(10) }}
{% macro f() %}{{ later }}{% endmacro %}{% set later = 'L' %}{{ f() }} {% macro g() %}{{ s }}{% endmacro %}{{ g() }}
{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}
{% macro f() %}{% set x = 1 %}{{ x }}{% endmacro %}{{ f() }}{{ x }}
{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}{% endfor %}{{ ns.m() }}|
{% macro f(x) %}{{ x }}{% endmacro %}{{ f(*[1]) }} {{ f(**{'x': 2}) }} {{ f(*'a') }} {{ dict(*[d], **{'z': 1}) }}
{{ dict(**[1]) }}
{{ dict(**{1: 2}) }}
{{ range(*5) }}
{% filter upper %}abc {{ s }}{% endfilter %} {% filter replace('a', 'b') | upper %}aa{% endfilter %} {% filter indent(2) %}a⏎b{% endfilter %}
{% filter length %}abc{% endfilter %}
{% filter nope %}abc{% endfilter %}
{% raw %}{{ x }} {% if %}{# c #}{% endraw %} {% raw -%}  a  {%- endraw %}|
{# comment #}a{#- c -#} b {# {{ x }} #}c
{% generation %}a{{ s }}{% endgeneration %}{% generation %}{% set g = 1 %}{% endgeneration %}{{ g }}|
{% for m in messages %}{% generation %}{{ loop.index }}{{ m.role }}{% endgeneration %}{% endfor %}
{% for m in messages %}{% generation %}{% break %}{% endgeneration %}{% endfor %}
{% break %}
{% macro f() %}{% continue %}{% endmacro %}
{% for x in [] %}{% else %}{% break %}{% endfor %}
{% block a %}A{{ s }}{% endblock %} {{ self.a() }} {% block b scoped %}{% endblock b %}{{ self.b is callable }}
{% for x in [1, 2] %}{% block c scoped %}{{ x }}{% endblock %}{% endfor %} {% for x in [1, 2] %}{% block e %}{{ x }}{% endblock %}{% endfor %}
{% block a %}{% endblock %}{% block a %}{% endblock %}
{% block a required %}{% endblock %}
{% block a %}{{ super() }}{% endblock %}
{% set v = 1 %}{% block a %}{{ v }}{% set v = 2 %}{{ v }}{% endblock %}{{ v }}
{{ self.nope }}|{{ self.nope() }}
{% print 1, s %} {% print %}
{% autoescape true %}{{ html }}{{ '<' ~ '>' }}{{ html | safe }}{% set b %}<{{ '<' }}{% endset %}{{ b }}{% macro m() %}<{{ '<' }}{% endmacro %}{{ m() }}{{ ['<', '<' | safe] | join('&') }}{% endautoescape %}{{ html }}
{% autoescape yes %}{{ '<' }}{% filter upper %}<a{{ '<' }}{% endfilter %}{% endautoescape %} {% autoescape false %}{{ '<' }}{% endautoescape %} {% autoescape true %}{{ 'a<' | replace('<', '>') }}{{ {'a': '<'} | xmlattr }}{{ 'www.x.com <' | urlize }}{% endautoescape %}
{% if n > 5 %}big{% elif n > 2 %}mid{% else %}small{% endif %} {% if no %}a{% elif nothing %}b{% endif %}| {% if undefined_name %}a{% else %}u{% endif %} {% if messages %}m{% endif %} {% if 1, 2 %}t{% endif %}
{%- if yes -%} a {%- else -%} b {%- endif -%}
⏎  {% if yes %}⏎  a⏎  {% endif %}⏎b
  {%- if yes %}⏎⏎a⏎{% endif +%}⏎b
{%+ if yes %}⏎ a {%- endif %}  c
a⏎   {%+ if yes %}b{% endif %}⏎
a⏎   {{ 1 }}⏎   {{- 2 }}  ⏎{{ 3 -}}  ⏎ 4⏎
a  ⏎  {# c #}⏎b {#- d #}⏎ e {# f -#}⏎ g {#+ h +#}⏎i
  {% set a = 1 %}  b⏎	{% set c = 2 %}⏎d
a⏎⏎⏎
⏎
{% raw %}⏎  x⏎  {% endraw %}⏎y
  {% raw %} a {% endraw %}
x {% if yes %} y{% endif %}  z
{{ '{{' }} {{ '%}' }} {{ "#}" }} {% set x = '%}' %}{{ x }} {{ {'a': {'b': 1}}['a']['b'] }} {{ {'a': {'b': 1}} }}
{{ [1, 2
}}
{{ 1 +
{% if yes %}
{% for x in list %}
{% endif %}
{% nope %}
{% if yes %}{% endfor %}
{% if %}{% endif %}
{{ }}
{{ 1 2 }}
{{ 'a }}
{{ a b }}
{{ a. }}
{{ a['b' }}
{{ (1 }}
{{ 1) }}
{{ [1} }}
{{ a | }}
{{ a is }}
{{ f(1, a=2, 3) }}
{{ f(**a, *b) }}
{{ f(a=1, a=2) }}
{% set 1 = 2 %}
{% set true = 2 %}
{% set a.b.c = 2 %}
{% set a['b'] = 2 %}
{% set a %}
{% for %}{% endfor %}
{% for x %}{% endfor %}
{% for loop in list %}{% endfor %}
{% for x in list %}{% set loop = 1 %}{% endfor %}
{% macro %}{% endmacro %}
{% macro f %}{% endmacro %}
{% macro f(a, a) %}{% endmacro %}
{% macro f(a=1, b) %}{% endmacro %}
{% macro f(caller) %}{{ caller() }}{% endmacro %}
{% call f %}{% endcall %}
{% else %}
{# never ends
{% raw %}x
{{ 1 ? 2 : 3 }}
{{ a ! b }}
{{ a & b }}
{{ $x }}
{{ '\x4' }}
{{ 1.foo }}
{{ 007 }}
{{ 1 if }}
{{ a = 1 }}
{{ a := 1 }}
{{ lambda x: x }}
{{ [x for x in list] }}
{{ a not in }}
{{ not }}
{% if a %}{% elif %}{% endif %}
{{ 1 is not }}
{{ 'a'.b.c() }}
{{ 5() }}
{{ s() }}
{{ s.upper(1) }}
{{ s.nope() }}
{{ list | join(1, 2, 3, 4) }}
{{ list | sort(nope=1) }}
{{ list | batch }}
{{ {[1]: 2} }}
{{ {d: 2} }}
{{ {(1, [2]): 3} }}
{% set ns = namespace(found=false) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}
{% set system = messages[0].content if messages[0].role == 'system' else '' %}{{ system }}{% for m in messages[1:] %}{{ m.role }},{% endfor %}
{{ messages | map(attribute='role') | join(' ') }} {{ (messages | last).content }} {{ messages[-1]['content'] | trim }} {{ messages[0]['role'] ~ ': ' ~ messages[0]['content'] }} {{ messages[1:] | length }} {{ messages | length % 2 == 0 }}
{{ messages[2].tool_calls[0].function.arguments | tojson }} {{ messages[2].tool_calls[0].function | tojson(indent=4) }} {{ messages[2].content is none }} {{ messages[2].content is not string }} {{ messages[2].content or '' }}|
{% for t in tools %}{{ t.function.name }}({% for k, v in t.function.parameters.properties.items() %}{{ k }}: {{ v.type if v.type is string else v.type | join('|') }}{% if k in t.function.parameters.required %}!{% endif %}{{ ', ' if not loop.last }}{% endfor %}){% endfor %}
{{ messages[1].content.split('\n')[0] }} {{ messages[1].content.split() | join(' ') }} {{ 'user' in messages | map(attribute='role') }} {{ (messages | selectattr('role', 'equalto', 'user') | list)[0].content | length }} {{ '</think>' in 'a</think>b' }} {{ 'a</think>b'.split('</think>')[-1].lstrip('\n') }}
{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<' + message['role'] + '>' + (message['content'] or '') | trim %}{{ content }}{% if loop.index0 == 0 %}{% set content = 'BOS' + content %}{% endif %}{{ content }}{% endfor %}
{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ loop_messages | length }}{{ system_message }}
{% if not tools is defined %}{% set tools = none %}{% endif %}{{ tools is none }}{% if not date_string is defined %}{% set date_string = "26 Jul 2024" %}{% endif %}{{ date_string }}
{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}
{% for m in messages if m.role != 'system' %}{% if loop.first %}{{ '<s>' }}{% endif %}{{ m.role }}{% if loop.last and yes %}{{ '</s>' }}{% endif %}{% endfor %}
{% macro render_type(t) %}{% if t is string %}{{ t }}{% elif t is iterable %}{{ t | join(' or ') }}{% else %}any{% endif %}{% endmacro %}{{ render_type('a') }} {{ render_type(['a', 'b']) }} {{ render_type(none) }}
"""


def split(environment, line):
    """Return the expressions of a line, or the line where it has other parts."""
    parts = [part if i == 0 else "{{ " + part for i, part in enumerate(line.replace("}}|", "}}").split("}} {{ "))]
    parts = [part if i == len(parts) - 1 else part + "}}" for i, part in enumerate(parts)]
    if len(parts) == 1 or "{%" in line:
        return [line]
    try:
        for part in parts:
            environment.parse(part)
    except jinja2.TemplateSyntaxError:
        return [line]
    return parts


def main():
    """Write OUT_DIR/jinja/probes.json."""
    environment = make_environment()
    lines = [line.replace("⏎", "\n") for line in PROBES.split("\n") if line]
    sources = list(dict.fromkeys(part for line in lines for part in split(environment, line)))
    items = [{"template": source, **render(environment, source, json.loads(json.dumps(VARIABLES)))} for source in sources]
    folder = Path(sys.argv[1]) / "jinja"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "probes.json", {"provenance": provenance_with(__file__), "variables": VARIABLES, "items": items})
    print(len(items), "probes,", sum("error" in item for item in items), "errors")


if __name__ == "__main__":
    main()
