"""The grammar of Apache httpd's configuration files.

Sources: https://httpd.apache.org/docs/2.4/configuring.html (syntax, ``Define``), and what was
read back from a running server for every argument kind (``tests/servers/test_apache_values.py``).
"""

from __future__ import annotations

import re

from django_deploykit.config.syntax.nodes import (
    Argument,
    Format,
    Glob,
    Option,
    Raw,
    Substitution,
)
from django_deploykit.config.syntax.printer import Refused

name = "Apache httpd's configuration"

_BARE = re.compile(r"[A-Za-z0-9_./:@*+-]+\Z")
# One argument beyond this length is no sane setting; httpd itself reads lines of up to 16 MB.
_LONGEST = 8192


def argument(argument: Argument) -> str:
    """Spell one argument. Raise Refused where httpd could not read it back exactly."""
    match argument:
        case Raw(text):
            return text
        case Option(key, value):
            return f"{key}={quoted(str(value))}"
        case Format(text):
            return literal(text.replace("%", "%%"))
        case Glob(text):
            return literal(_without_wildcards(text))
        case Substitution(parts):
            return literal("".join(_substitution(part) for part in parts))
        case int():
            return str(argument)
        case str():
            return literal(argument)


def literal(text: str) -> str:
    """Spell ``text`` so that httpd reads exactly it; bare where that is plainly safe."""
    return text if _BARE.match(text) else quoted(text)


def quoted(text: str) -> str:
    """Spell ``text`` inside double quotes, where only ``\\`` and ``"`` need a backslash."""
    _refuse_unspeakable(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def regex(text: str) -> str:
    """Escape ``text`` for use inside a regular expression (PCRE)."""
    return re.sub(r"([^A-Za-z0-9_/:@ -])", _escape_for_pcre, text)


def _escape_for_pcre(match: re.Match[str]) -> str:
    # PCRE matches bytes here, so what is not ASCII stands for itself.
    character = match.group(1)
    return f"\\{character}" if character.isascii() else character


def comment(text: str) -> str:
    """Spell a comment line; a trailing backslash would swallow the line below."""
    _refuse_unspeakable(text)
    return f"# {text}".rstrip("\\")


def statement(name: str, arguments: list[str]) -> str:
    return " ".join([name, *arguments])


def opening(name: str, arguments: list[str]) -> str:
    return f"<{' '.join([name, *arguments])}>"


def closing(name: str) -> str:
    return f"</{name}>"


def _refuse_unspeakable(text: str) -> None:
    if "${" in text:
        raise Refused(text, "'${' starts a variable that httpd replaces even inside quotes")
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused(text, "it holds a control character (a line feed would end the directive)")
    if re.search(r"[\ud800-\udfff]", text):
        raise Refused(text, "it is not valid UTF-8")
    if len(text.encode()) > _LONGEST:
        raise Refused(text, f"it is longer than {_LONGEST} bytes")


def _without_wildcards(text: str) -> str:
    if re.search(r"[*?\[\]\\]", text):
        raise Refused(text, "'*', '?', '[', ']' and a backslash are wildcards in this place")
    return text


def _substitution(part: str | int) -> str:
    if isinstance(part, int):
        return f"${part}"
    return re.sub(r"([$&\\])", r"\\\1", part)
