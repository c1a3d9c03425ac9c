"""Jinja as Hugging Face transformers sets it up for chat templates, and how its results are recorded.

transformers documents the set-up: an immutable sandbox that trims blocks, with loop controls, a `tojson` that does not
escape for HTML, `raise_exception`, `strftime_now`, and `{% generation %}` around what the assistant said. The clock
stands still here.
"""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from common import provenance

SCRIPTS = Path(__file__).parent.parent
NOW = datetime(2026, 3, 9, 14, 5, 7)


def provenance_with(script, inputs=(), seed=None):
    """Return the provenance of a script, with the hashes of this file and of further files of the folder."""
    paths = [Path(__file__), *inputs]
    hashes = {path.relative_to(SCRIPTS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return {**provenance(script, seed), "versions": {"jinja2": jinja2.__version__}, "inputs": hashes}


class Generation(jinja2.ext.Extension):
    """The tag `generation`: its body is a call block of a function that hands the text on."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def make_environment():
    """Return an environment for chat templates."""
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def strftime_now(format):
        return NOW.strftime(format)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    return environment


def render(environment, source, variables):
    """Return the text that a template renders, or the type and the message of the error."""
    try:
        text = environment.from_string(source).render(**variables)
    except Exception as error:  # each type is a result
        return {"error": type(error).__name__, "message": str(error)}
    if re.search(r"0x7f", text, re.IGNORECASE):
        raise ValueError(f"the result has an address: {source!r} -> {text!r}")
    return {"text": text}
