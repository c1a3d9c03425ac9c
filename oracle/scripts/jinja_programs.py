"""Write what Python's Jinja makes of 10,000 random programs from a grammar of its constructs.

Usage: jinja_programs.py OUT_DIR [COUNT [SEED]]

Expressions are made by the type that they should have; now and then one of another type is put in its place, so that
errors come up, too. All programs see VARIABLES. What each of them makes is in a file of gzipped JSON: its text and what it
renders, or the type and the message of its error.
"""

import gzip
import json
import random
import sys
from pathlib import Path

from common import write_json
from jinja.environment import make_environment, provenance_with, render

COUNT = 10_000
SEED = 20260309
VARIABLES = json.loads(r"""{
 "messages": [
  {"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hello\n  world "},
  {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"k": 1, "items": [true, null, 2.5]}}}]},
  {"role": "tool", "content": "ok </t> x", "name": "f"}, {"role": "user", "content": "naïve 😀 ﬁ"}
 ],
 "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"items": {"type": "string"}, "b": {"type": ["null", "int"]}}, "required": ["b"]}}}],
 "nothing": null, "yes": true, "no": false, "n": 7, "neg": -3, "x": 2.5, "big": 12345678901234,
 "s": "Hello, World", "t": "a-b_c d\n e", "e": "", "html": "<a & 'b'>", "list": [3, 1, 2, 1], "words": ["pear", "Fig", "apple", "fig"],
 "mixed": [1, "a", null, true, 2.5, [0], {"k": "v"}], "d": {"b": 2, "a": 1, "C": null}, "deep": {"x": {"y": [1, {"z": "end"}]}, "items": 3},
 "users": [{"name": "Zoë", "age": 30, "tags": ["x"]}, {"name": "adam", "age": 25}, {"name": "Bob", "age": 30, "tags": []}]
}""")
NAMES = {"text": ["s", "t", "e", "html"], "int": ["n", "neg", "big"], "float": ["x"], "bool": ["yes", "no"],
         "list": ["list", "words", "mixed", "users", "messages"], "dict": ["d", "deep"], "none": ["nothing", "missing"]}
LITERALS = {"text": ["'a'", "'b-c'", '"it\'s"', "''", "' x '", "'\\n'", "'é😀'", "'a,b,c'", "'<'", "'12'", "'Ab Cd'"],
            "int": ["0", "1", "2", "3", "-1", "10", "7"], "float": ["0.5", "2.0", "-1.5", "1e3", "3.14159"], "bool": ["true", "false", "True"],
            "list": ["[]", "[1, 2]", "['a', 'b']", "(1, 2)", "[[1, 'a'], [2, 'b']]"], "dict": ["{}", "{'a': 1}", "{'k': 'v', 1: none}"],
            "none": ["none", "None"]}
TYPES = ["text", "int", "float", "bool", "list", "dict", "none"]
TEXT_METHODS = ["upper()", "lower()", "title()", "strip()", "lstrip('\\n ')", "rstrip()", "capitalize()", "swapcase()", "replace({t}, {t})", "replace('l', {t}, 1)",
                "center(9, '.')", "ljust(8)", "rjust(6, '0')", "zfill(4)", "removeprefix({t})", "removesuffix('d')", "strip({t})", "format({a}, {a})", "join({l})",
                "casefold()", "expandtabs(3)", "split({t})[0]", "split()[-1]", "partition('-')[2]", "rpartition({t})[0]"]
TEXT_FILTERS = ["upper", "lower", "title", "trim", "capitalize", "replace({t}, {t})", "string", "e", "safe", "indent(2)", "indent(1, true)", "truncate(6)", "truncate(5, true, '', 0)",
                "center(7)", "default({t})", "d('x', true)", "striptags", "urlencode", "wordwrap(5)", "forceescape", "trim({t})", "format({a})", "reverse", "first", "last"]
LIST_FILTERS = ["list", "sort", "reverse | list", "unique | list", "map('string') | list", "map('upper') | list", "select | list", "reject('none') | list", "select('string') | list",
                "reject('in', {l}) | list", "batch(2) | list", "batch(3, {a}) | list", "slice(2) | list", "map(attribute='name') | list", "selectattr('tags') | list",
                "selectattr('role', 'equalto', 'user') | list", "rejectattr('age', 'gt', 26) | list", "map(attribute='content', default='-') | list", "sort(reverse=true)",
                "groupby('age') | list", "map('length') | list", "select('odd') | list", "map('default', 'z', true) | list", "sort(attribute='name')", "default([])"]


class Grammar:
    """Makes programs. Methods return source text."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.locals = []
        self.loops = 0

    def pick(self, options):
        return self.random.choice(options)

    def chance(self, probability):
        return self.random.random() < probability

    def fill(self, pattern, depth):
        """Put expressions into a pattern: {t} text, {i} int, {l} list, {d} dict, {b} bool, {a} anything."""
        kinds = {"t": "text", "i": "int", "l": "list", "d": "dict", "b": "bool", "a": None}
        for key, kind in kinds.items():
            while "{" + key + "}" in pattern:
                pattern = pattern.replace("{" + key + "}", self.expression(depth - 1, kind), 1)
        return pattern

    def expression(self, depth, kind=None):
        if kind is None or self.chance(0.015):
            kind = self.pick(TYPES)
        if depth <= 0 or self.chance(0.2):
            return self.atom(kind)
        return getattr(self, "make_" + kind)(depth)

    def atom(self, kind):
        if self.locals and self.chance(0.15):
            return self.pick(self.locals)
        if self.loops and self.chance(0.1):
            return self.pick(["loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.depth", "loop.previtem", "loop.nextitem", "loop.cycle('o', 'e')", "loop.changed(s)"])
        return self.pick(NAMES[kind] if self.chance(0.5) else LITERALS[kind])

    def make_text(self, depth):
        text = lambda: self.operand(depth, "text")
        return self.pick([
            lambda: f"{text()} ~ {self.operand(depth)}", lambda: f"{text()} + {text()}", lambda: f"{text()} * {self.pick('0123')}",
            lambda: f"{text()} | {self.fill(self.pick(TEXT_FILTERS), depth)}", lambda: f"{text()} | {self.fill(self.pick(TEXT_FILTERS), depth)}",
            lambda: f"{text()}.{self.fill(self.pick(TEXT_METHODS), depth)}", lambda: f"{text()}.{self.fill(self.pick(TEXT_METHODS), depth)}",
            lambda: f"{text()}[{self.slice()}]", lambda: f"{text()}[{self.pick(['0', '-1', '1', '99'])}]", lambda: f"'%s|%r' % ({self.expression(depth - 1)}, {self.expression(depth - 1)})",
            lambda: f"'{self.pick(['%d', '%5.2f', '%x', '%s', '%-4d', '%+d', '%e', '%05d', '%c'])}' % {self.operand(depth, self.pick(['int', 'float']))}",
            lambda: f"'{self.pick(['{:>6}', '{:^7}', '{!r}', '{:.2f}', '{:,}', '{:05}', '{}', '{0}{0}', '{:<4}|', '{:e}', '{:+}', '{:%}'])}'.format({self.expression(depth - 1, self.pick(['int', 'float', 'text']))})",
            lambda: f"{self.operand(depth, 'list')} | join({self.pick(['', repr(', '), repr('')])})", lambda: f"{self.operand(depth)} | {self.pick(['tojson', 'string', 'tojson(indent=1)', 'tojson(sort_keys=true)', 'pprint', 'upper', 'trim'])}",
            lambda: f"{text()} if {self.expression(depth - 1, 'bool')} else {text()}", lambda: f"messages[{self.pick(['0', '1', '-1', '3'])}].{self.pick(['content', 'role', 'name', 'nope'])}",
            lambda: f"{text()} or {text()}", lambda: self.dotted()])()

    def make_int(self, depth):
        number = lambda: self.operand(depth, "int")
        return self.pick([
            lambda: f"{number()} {self.pick(['+', '-', '*', '//', '%'])} {number()}", lambda: f"{number()} {self.pick(['+', '-', '*', '//', '%'])} {number()}", lambda: f"{number()} ** {self.pick('0123')}",
            lambda: f"-{number()}", lambda: f"{self.operand(depth, self.pick(['list', 'text', 'dict']))} | {self.pick(['length', 'count'])}", lambda: f"{self.operand(depth)} | {self.pick(['int', 'int(5)', 'abs', 'wordcount'])}",
            lambda: f"{self.operand(depth, 'text')}.{self.pick(['find', 'rfind', 'count', 'find', 'index'])}({self.expression(depth - 1, 'text')})", lambda: f"list | {self.pick(['sum', 'min', 'max', 'first', 'last'])}",
            lambda: f"{self.operand(depth, 'list')} | sum(start=0)", lambda: f"list[{self.pick(['0', '-1', '9', 'n', 'no'])}]", lambda: f"users[{self.pick('012')}].age", lambda: f"{number()} | round(-1)",
            lambda: f"{number()}.bit_length()", lambda: f"list.{self.pick(['count', 'count', 'index'])}({number()})"])()

    def make_float(self, depth):
        number = lambda: self.operand(depth, self.pick(["float", "int"]))
        return self.pick([
            lambda: f"{number()} / {number()}", lambda: f"{self.operand(depth, 'float')} {self.pick(['+', '-', '*', '//', '%'])} {number()}", lambda: f"{self.operand(depth)} | float",
            lambda: f"{self.operand(depth, 'float')} | round({self.pick(['', '1', '2', '0', '1, ' + repr('ceil'), '1, ' + repr('floor')])})", lambda: f"x ** {self.pick('012')}", lambda: f"{number()} | float(1.5)"])()

    def make_bool(self, depth):
        any_ = lambda: self.operand(depth)
        tests = ["defined", "undefined", "none", "string", "number", "mapping", "iterable", "sequence", "boolean", "true", "false", "integer", "float", "odd", "even", "lower", "upper", "callable",
                 "divisibleby 2", "eq 1", "in list", "in('abc')", "gt 2", "sameas none", "escaped", "ne 'a'", "lessthan(3)"]
        return self.pick([
            lambda: f"{any_()} is {self.pick(['', 'not '])}{self.pick(tests)}", lambda: f"{any_()} is {self.pick(tests)}", lambda: f"{any_()} {self.pick(['==', '!='])} {any_()}",
            lambda: f"{self.operand(depth, 'int')} {self.pick(['<', '<=', '>', '>='])} {self.operand(depth, self.pick(['int', 'float']))}", lambda: f"{self.operand(depth, 'text')} {self.pick(['<', '>='])} {self.operand(depth, 'text')}",
            lambda: f"{any_()} {self.pick(['in', 'not in'])} {self.operand(depth, self.pick(['list', 'dict', 'text']))}", lambda: f"not {any_()}", lambda: f"{any_()} and {any_()}", lambda: f"{any_()} or {any_()}",
            lambda: f"0 < {self.operand(depth, 'int')} < {self.operand(depth, 'int')}", lambda: f"{self.operand(depth, 'text')}.{self.pick(['startswith', 'endswith'])}({self.expression(depth - 1, 'text')})",
            lambda: f"{self.operand(depth, 'text')}.{self.pick(['isdigit', 'isalpha', 'isupper', 'isspace', 'istitle', 'isalnum', 'islower'])}()"])()

    def make_list(self, depth):
        items = lambda: self.operand(depth, "list")
        return self.pick([
            lambda: "[" + ", ".join(self.expression(depth - 1) for _ in range(self.random.randint(0, 3))) + "]", lambda: "(" + ", ".join(self.expression(depth - 1) for _ in range(self.random.randint(2, 3))) + ")",
            lambda: f"{items()} | {self.fill(self.pick(LIST_FILTERS), depth)}", lambda: f"{items()} | {self.fill(self.pick(LIST_FILTERS), depth)}", lambda: f"{items()} | {self.fill(self.pick(LIST_FILTERS), depth)}",
            lambda: f"{items()}[{self.slice()}]", lambda: f"{items()} + {items()}", lambda: f"{items()} * {self.pick('012')}", lambda: f"{self.operand(depth, 'text')}.split({self.pick(['', repr(','), repr('-'), repr(' '), 'none, 1'])})",
            lambda: f"range({self.pick(['3', '1, 4', '5, 0, -2', 'n', '0'])}) | list", lambda: f"{self.operand(depth, 'dict')} | {self.pick(['list', 'dictsort', 'items | list', 'dictsort(by=' + repr('value') + ')'])}",
            lambda: f"{self.operand(depth, 'dict')}.{self.pick(['items', 'keys', 'values'])}() | list", lambda: f"{self.operand(depth, 'text')} | list", lambda: f"{self.operand(depth, 'text')}.splitlines()"])()

    def make_dict(self, depth):
        return self.pick([
            lambda: "{" + ", ".join(f"{self.pick([repr('a'), repr('b'), '1', repr('items'), 'none', 's'])}: {self.expression(depth - 1)}" for _ in range(self.random.randint(0, 3))) + "}",
            lambda: f"dict(a={self.expression(depth - 1)}, b={self.expression(depth - 1)})", lambda: f"dict({self.operand(depth, 'dict')}, z=1)", lambda: f"messages[{self.pick('0123')}]", lambda: f"users | {self.pick(['first', 'last'])}",
            lambda: f"{self.operand(depth, 'dict')}.copy()", lambda: "deep.x", lambda: "tools[0].function"])()

    def make_none(self, depth):
        return self.pick([
            lambda: f"{self.operand(depth, 'dict')}.get({self.expression(depth - 1, 'text')})", lambda: f"{self.operand(depth, 'dict')}.{self.pick(['a', 'b', 'nope', 'items', 'x'])}", lambda: f"{self.operand(depth, 'dict')}[{self.expression(depth - 1, 'text')}]",
            lambda: f"{self.operand(depth)}.nope", lambda: "missing", lambda: f"({self.expression(depth - 1)} if no)", lambda: f"[] | {self.pick(['first', 'last', 'min', 'max'])}", lambda: self.dotted(),
            lambda: f"{self.pick(['s', 'list', 'd'])}.{self.pick(['append(1)', '__class__', 'pop()', 'update', '_x', 'clear()'])}"])()

    def dotted(self):
        return self.pick(["deep.x.y[1].z", "deep['x']['y'][0]", "deep.x.q.z", "messages[2].tool_calls[0].function.arguments", "tools[0].function.parameters.properties.items()", "tools[0]['function'].name", "users[0].tags[0]",
                          "users[1].tags[0]", "mixed[6].k", "deep.items", "deep['items']", "nested.0.1", "words.0", "missing.x", "messages[-1]['content']"])

    def slice(self):
        bound = lambda: self.pick(["", "0", "1", "2", "-1", "-2", "99", "none"])
        return bound() + ":" + bound() + self.pick(["", "", ":", ":2", ":-1", ":-2"])

    def operand(self, depth, kind=None):
        """Return an expression that can stand beside an operator."""
        source = self.expression(depth - 1, kind)
        simple = source.replace("_", "a").replace(".", "a").isalnum()
        return source if simple or self.chance(0.04) else f"({source})"

    # Statements

    def program(self):
        self.locals, self.loops = [], 0
        return self.body(self.random.randint(1, 3), 3)

    def body(self, count, depth):
        return "".join(self.statement(depth) for _ in range(count))

    def tag(self, inside):
        """Return a tag with some way of whitespace control."""
        return "{%" + self.pick(["", "", "", "-", "-", "+"]) + " " + inside + " " + self.pick(["", "", "", "-", "-", "+"]) + "%}"

    def text(self):
        return self.pick(["", "", "a", " b ", "\n", "  \n  ", "c\n", "\n  d", " ", "{ ", " }}", "% ", "é", "\t", "\n\n", "\n\t "])

    def inner(self, depth, count=2):
        """Return a body whose names end with it."""
        before = list(self.locals)
        source = self.text() + self.body(self.random.randint(1, count), depth - 1) + self.text()
        self.locals = before
        return source

    def statement(self, depth):
        if depth <= 0 or self.chance(0.35):
            return self.text() + "{{" + self.pick(["", "", "-"]) + " " + self.expression(3) + " " + self.pick(["", "", "-"]) + "}}" + self.text()
        kinds = ["set", "set", "if", "if", "for", "for", "for", "macro", "setblock", "with", "filter", "namespace", "call", "raw", "comment", "generation", "recursive", "control", "unpack", "scope"]
        return self.text() + getattr(self, "do_" + self.pick(kinds))(depth) + self.text()

    def name(self):
        name = self.pick(["v", "w", "u", "s", "n", "item"])
        return name

    def do_set(self, depth):
        name, value = self.name(), self.expression(3)
        self.locals.append(name)
        return self.tag(f"set {name} = {value}")

    def do_unpack(self, depth):
        pair = self.pick(["(1, 2)", "'ab'", "[s, n]", "d.items() | first", "(s, d)", f"({self.expression(2)}, {self.expression(2)})"])
        self.locals += ["v", "w"]
        return self.tag(f"set v, w = {pair}") + "{{ v }}{{ w }}"

    def do_if(self, depth):
        source = self.tag("if " + self.expression(3, "bool")) + self.conditional(depth)
        if self.chance(0.4):
            source += self.tag("elif " + self.expression(2)) + self.conditional(depth)
        if self.chance(0.5):
            source += self.tag("else") + self.conditional(depth)
        return source + self.tag("endif")

    def conditional(self, depth):
        """Return a body whose names go on."""
        return self.text() + self.body(1, depth - 1)

    def do_for(self, depth):
        target, items = self.pick([("item", self.expression(2, "list")), ("item", "list"), ("item", "messages"), ("v, w", "d.items()"), ("v, w", "[(1, 2), (3, 4)]"), ("v", "s[:3]"), ("item", "words | sort"), ("v", "range(3)"),
                                   ("item", self.expression(2)), ("k, (v, w)", "[(1, (2, 3))]")])
        test = f" if {self.pick([target.split(',')[0], self.expression(2, 'bool'), 'n > 1', 'not loop'])}" if self.chance(0.2) else ""
        before = list(self.locals)
        self.locals += [part.strip("() ") for part in target.split(",")]
        self.loops += 1
        source = self.tag(f"for {target} in {items}{test}") + self.inner(depth)
        self.loops -= 1
        self.locals = before
        if self.chance(0.3):
            source += self.tag("else") + self.inner(depth, 1)
        return source + self.tag("endfor")

    def do_recursive(self, depth):
        data = self.pick(["[1, [2, [3]], 4]", "nested", "[[1], [[2]]]", "mixed"])
        return self.tag(f"for item in {data} recursive") + self.pick(["", "{{ loop.depth }}", "{{ loop.index }}/{{ loop.length }}"]) + \
            "{% if item is sequence and item is not string and item is not mapping %}[{{ loop(item) }}]{% else %}{{ item }}{% endif %}" + self.pick(["", "{{ ',' if not loop.last }}"]) + self.tag("endfor")

    def do_control(self, depth):
        condition = self.pick(["loop.index > 2", "item == 1", "item is string", "not item", "loop.first", self.expression(2, "bool")])
        return self.tag("for item in " + self.pick(["list", "mixed", "words", "range(5)"])) + "{{ item }}" + self.tag("if " + condition) + self.tag(self.pick(["break", "continue"])) + self.tag("endif") + \
            self.text() + self.pick(["{{ loop.index0 }}", "|"]) + self.pick(["", self.tag("else") + "E"]) + self.tag("endfor")

    def do_macro(self, depth):
        parameters, call = self.pick([("", ""), ("a", self.expression(2)), ("a, b=2", self.expression(2)), ("a, b=a", "s, b=1"), ("a='x'", ""), ("a", "a=" + self.expression(2)), ("a, b=n", "1, 2, 3"), ("a", "z=1"), ("a", "")])
        before, loops = list(self.locals), self.loops
        self.locals, self.loops = before + (["a"] if "a" in parameters else []), 0
        extra = self.pick(["", "", "", "{{ varargs }}", "{{ kwargs }}", "{{ caller is defined }}"])
        body = self.inner(depth) + extra
        self.locals, self.loops = before, loops
        return self.tag(f"macro m({parameters})") + body + self.tag("endmacro") + f"{{{{ m({call}) }}}}" + self.pick(["", "{{ m(1) | upper }}", "{{ m.name }}"])

    def do_call(self, depth):
        return self.tag("macro c(p='P')") + "<{{ p }}{{ caller(" + self.pick(["", "1", "p", "s, w=2"]) + ") }}>" + self.tag("endmacro") + \
            self.tag("call" + self.pick(["", "(q)", "(q=5)", "(q, w=1)"]) + " c(" + self.pick(["", self.expression(2), "p=1"]) + ")") + self.pick(["{{ q }}", "x", "{{ w }}"]) + self.inner(depth, 1) + self.tag("endcall")

    def do_setblock(self, depth):
        name = self.name()
        source = self.tag(f"set {name}" + self.pick(["", "", " | upper", " | trim", " | replace('a', 'A') | indent(2, true)"])) + self.inner(depth) + self.tag("endset")
        self.locals.append(name)
        return source + "[{{ " + name + " }}]"

    def do_with(self, depth):
        before = list(self.locals)
        assign = self.pick([f"v = {self.expression(2)}", f"v = {self.expression(2)}, w = {self.expression(2)}", "n = n + 1, v = n", ""])
        self.locals += ["v"]
        source = self.tag("with " + assign) + self.inner(depth) + self.tag("endwith")
        self.locals = before
        return source + self.pick(["", "{{ v }}"])

    def do_filter(self, depth):
        return self.tag("filter " + self.fill(self.pick(["upper", "trim", "replace('a', {t})", "indent(3)", "title | replace(' ', '_')", "e", "length", "wordwrap(8)", "truncate(9, true)"]), 2)) + self.inner(depth) + self.tag("endfilter")

    def do_namespace(self, depth):
        before = list(self.locals)
        self.locals += ["ns.a", "ns.b", "ns"]
        body = self.tag("for item in " + self.pick(["list", "words", "range(3)", "messages"])) + self.tag("set ns.a = " + self.pick(["item", "ns.a ~ item", "ns.a + 1", self.expression(2)])) + self.pick(["", self.tag("set w = item"), "{{ ns.a }}"]) + self.tag("endfor")
        source = self.tag("set ns = namespace(" + self.pick(["a=0", "a='', b=[]", "", "d", "a=none"]) + ")") + body + "{{ ns.a }}" + self.inner(depth, 1)
        self.locals = before + ["ns.a"]
        return source

    def do_scope(self, depth):
        """Assignments at several levels, read before and after."""
        level = lambda: self.pick(["{{ v }}", "{% set v = 1 %}", "{% set v = v ~ 'x' %}", "{% if no %}{% set v = 2 %}{% endif %}", "{% if yes %}{% set v = 3 %}{% else %}{% set v = 4 %}{% endif %}", "{% macro g() %}{{ v }}{% endmacro %}{{ g() }}", ""])
        return level() + self.tag("for i in range(2)") + level() + level() + "{{ v }}" + self.pick([level(), self.tag("for j in 'ab'") + level() + "{{ v }}" + self.tag("endfor")]) + level() + self.tag("endfor") + level() + "{{ v }}"

    def do_raw(self, depth):
        return self.pick(["{% raw %}", "{%- raw -%}", "{% raw -%}"]) + self.text() + "{{ x }} {% if %}" + self.text() + self.pick(["{% endraw %}", "{%- endraw -%}", "{%+ endraw +%}"])

    def do_comment(self, depth):
        return self.pick(["{#", "{#-", "{#+"]) + " c {{ x }}\n" + self.pick(["#}", "-#}", "+#}"])

    def do_generation(self, depth):
        before, loops = list(self.locals), self.loops
        self.loops = 0
        source = self.tag("generation") + self.inner(depth) + self.tag("endgeneration")
        self.locals, self.loops = before, loops
        return source


def main():
    """Write OUT_DIR/jinja/programs.json and OUT_DIR/jinja/program-results.json.gz."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else SEED
    environment, grammar, items, seen = make_environment(), Grammar(seed), [], set()
    variables = json.dumps(VARIABLES)
    while len(items) < count:
        source = grammar.program()
        if source in seen or len(source) > 2000:
            continue
        seen.add(source)
        try:
            result = render(environment, source, json.loads(variables))
        except ValueError:  # an address was printed
            continue
        if len(result.get("text", "")) > 4000 or result.get("error") == "MemoryError":
            continue
        items.append([source, result["text"]] if "text" in result else [source, None, result["error"], result["message"]])
    folder = Path(sys.argv[1]) / "jinja"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "programs.json", {"provenance": provenance_with(__file__, seed=seed), "variables": VARIABLES})
    data = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    compressed = gzip.compress(data, 9, mtime=0)
    (folder / "program-results.json.gz").write_bytes(compressed)
    print(len(items), "programs,", sum(len(item) > 2 for item in items), "errors,", len(data), "bytes,", len(compressed), "compressed")


if __name__ == "__main__":
    main()
