"""A tiny template language used by every part of the corpus generator.

`{a|b|c}` picks one alternative (alternatives may nest), `$name` inserts a
variable, and `a`/`an` is corrected afterwards.  All choices come from one
`random.Random`, so a seed fixes the text.
"""

import re

_CHOICE = re.compile(r"\{([^{}]*)\}")
_VARIABLE = re.compile(r"\$([A-Za-z_]+\d?)")
_ARTICLE = re.compile(r"\b([Aa]) (?=([aeiouAEIO]\w*))")
_CONSONANT_SOUND = re.compile(r"(one|once|uni|use|usual|eu)", re.IGNORECASE)


def expand(template, rng, variables=None):
    """Return `template` with its choices made and its variables filled in."""
    text = template
    while "{" in text:
        text, count = _CHOICE.subn(lambda m: rng.choice(m.group(1).split("|")), text)
        if not count:
            raise ValueError(f"unbalanced braces: {template}")
    if variables:
        text = _VARIABLE.sub(lambda m: str(variables[m.group(1)]), text)
    return fix_articles(text)


def fix_articles(text):
    """Turn `a apple` into `an apple`."""

    def fix(match):
        word = match.group(2)
        if _CONSONANT_SOUND.match(word):
            return match.group(0)
        return match.group(1) + "n "

    return _ARTICLE.sub(fix, text)


def upper_first(text):
    """Return `text` with its first character in upper case."""
    return text[:1].upper() + text[1:]


def join_list(items):
    """Return `a, b and c` for a list of strings."""
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
