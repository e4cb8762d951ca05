"""The grammar of nginx's configuration files.

Sources: https://nginx.org/en/docs/beginners_guide.html#conf_structure, ngx_conf_read_token() in
src/core/ngx_conf_file.c, and what was read back from a running server
(``tests/servers/test_nginx_values.py``).
"""

from __future__ import annotations

import re

from django_deploykit.config.syntax.nodes import Argument, Glob, Option, Raw
from django_deploykit.config.syntax.printer import Refused

name = "nginx's configuration"

_BARE = re.compile(r"[A-Za-z0-9_./:@*+=,^~-]+\Z")
# A name or pattern of a location is never searched for variables.
_WITHOUT_VARIABLES = ("location",)
# The buffer of nginx's parser (NGX_CONF_BUFFER) has 4096 bytes, with the quotes.
_LONGEST = 4094


def argument(argument: Argument, directive: str) -> str:
    """Spell one argument of ``directive``. Raise Refused where it could not be read exactly."""
    match argument:
        case Raw(text):
            return text
        case Option(key, value):
            return _value(f"{key}={value}", directive)
        case Glob(text):
            return _value(_without_wildcards(text), directive)
        case int():
            return str(argument)
        case str():
            return _value(argument, directive)
    raise TypeError(f"{argument!r} is no argument of a directive of nginx")


def literal(text: str) -> str:
    """Spell ``text`` so that nginx reads exactly it; bare where that is plainly safe."""
    _refuse_unspeakable(text)
    return text if _BARE.match(text) and len(text) <= _LONGEST else quoted(text)


def quoted(text: str) -> str:
    """Spell ``text`` inside double quotes, where only ``\\`` and ``"`` need a backslash."""
    _refuse_unspeakable(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if len(escaped.encode()) > _LONGEST:
        raise Refused(text, f"it is longer than {_LONGEST} bytes")
    return f'"{escaped}"'


def regex(text: str) -> str:
    """Escape ``text`` for use inside a regular expression (PCRE)."""
    # What is not ASCII stands for itself: PCRE matches bytes here.
    return re.sub(r"([^A-Za-z0-9_/:@ \u0080-\U0010ffff-])", r"\\\1", text)


def comment(text: str) -> str:
    _refuse_unspeakable(text)
    return f"# {text}".rstrip()


def statement(name: str, arguments: list[str]) -> str:
    return f"{' '.join([name, *arguments])};"


def opening(name: str, arguments: list[str]) -> str:
    return f"{' '.join([name, *arguments])} {{"


def closing(name: str) -> str:
    return "}"


def _value(text: str, directive: str) -> str:
    if "$" in text and directive not in _WITHOUT_VARIABLES:
        raise Refused(text, "'$' starts a variable in this place, and nothing escapes it")
    return literal(text)


def _without_wildcards(text: str) -> str:
    if re.search(r"[*?\[\]\\]", text):
        raise Refused(text, "'*', '?', '[', ']' and a backslash are wildcards in this place")
    return text


def _refuse_unspeakable(text: str) -> None:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused(text, "it holds a control character, which has no place in a setting")
    if re.search(r"[\ud800-\udfff]", text):
        raise Refused(text, "it is not valid UTF-8")
