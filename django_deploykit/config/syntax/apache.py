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
# mod_rewrite splits its arguments itself: a backslash stays, even one before a quote.
_WITHOUT_ESCAPES = ("RewriteCond", "RewriteRule")
# The target of these is a URL.
_LEADS_TO_URL = ("RedirectMatch", "RewriteRule")
# One argument beyond this length is no sane setting; httpd itself reads lines of up to 16 MB.
_LONGEST = 8192


def argument(argument: Argument, directive: str) -> str:
    """Spell one argument of ``directive``. Raise Refused where it could not be read exactly."""
    spell = _unescaped if directive in _WITHOUT_ESCAPES else literal
    match argument:
        case Raw(text):
            return text
        case Option(key, value):
            return f"{key}={quoted(str(value))}"
        case Format(text):
            return spell(_format(text))
        case Glob(text):
            return spell(_without_wildcards(text))
        case Substitution(parts):
            return spell("".join(_substitution(part, directive) for part in parts))
        case int():
            return str(argument)
        case str():
            return spell(argument)


def literal(text: str) -> str:
    """Spell ``text`` so that httpd reads exactly it; bare where that is plainly safe."""
    _refuse_unspeakable(text)
    return text if _BARE.match(text) else quoted(text)


def quoted(text: str) -> str:
    """Spell ``text`` inside double quotes, where only ``\\`` and ``"`` need a backslash."""
    _refuse_unspeakable(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def regex(text: str) -> str:
    """Escape ``text`` for use inside a regular expression (PCRE)."""
    # What is not ASCII stands for itself: PCRE matches bytes here.
    return re.sub(r"([^A-Za-z0-9_/:@ \u0080-\U0010ffff-])", r"\\\1", text)


def path_regex(url: str) -> str:
    """Escape the path of a URL; any number of slashes is one, as for Alias and ProxyPass.

    A pattern sees them all before httpd 2.4.39, and where MergeSlashes is off (CVE-2019-0220).
    """
    return regex(url).replace("/", "/+")


def comment(text: str) -> str:
    """Spell a comment line; a trailing backslash would swallow the line below."""
    _refuse_unspeakable(text)
    return re.sub(r"[\s\\]*\Z", "", f"# {text}")


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


def _unescaped(text: str) -> str:
    _refuse_unspeakable(text)
    if '"' in text:
        raise Refused(text, "mod_rewrite knows no way to write a double quote")
    return text if _BARE.match(text) else f'"{text}"'


def _format(text: str) -> str:
    if text.lower().startswith("expr="):
        raise Refused(text, "'expr=' starts an expression in this place")
    _refuse_unspeakable(text)
    return re.sub(r"([%\\])", r"\1\1", text)


def _without_wildcards(text: str) -> str:
    if re.search(r"[*?\[\]\\]", text):
        raise Refused(text, "'*', '?', '[', ']' and a backslash are wildcards in this place")
    if text == "~":
        raise Refused(text, "'~' announces a regular expression in this place")
    return text


def _substitution(part: str | int, directive: str) -> str:
    if isinstance(part, int):
        return f"${part}"
    if directive in _LEADS_TO_URL and re.search(r"[?#]", part):
        raise Refused(part, "'?' and '#' end the path of a URL in this place")
    _refuse_unspeakable(part)
    # '%' means something to mod_rewrite, '&' to httpd 2.2; a backslash helps everywhere.
    return re.sub(r"([$%&\\])", r"\\\1", part)
