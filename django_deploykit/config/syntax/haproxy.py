"""The grammar of HAProxy's configuration files.

A file is a row of sections; a section is a keyword line with lines below it, and has no end.
Sources: https://docs.haproxy.org/2.6/configuration.html#2.2 ("Quoting and escaping") and #8.2.6
(log-format, in which ``%`` is live), and what was read back from a running server
(``tests/servers/test_haproxy_values.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from django_deploykit.config.syntax.nodes import Argument, Directive, Format, Node, Raw
from django_deploykit.config.syntax.printer import Dialect, Line, Refused, print_lines

name = "HAProxy's configuration"

_BARE = re.compile(r"[A-Za-z0-9_./:@*+=,;~-]+\Z")
# A line holds 2048 bytes with all its words (LINESIZE).
_LONGEST = 1800
# And so many words (MAX_LINE_ARGS), the first among them.
_WORDS = 64
# A word that is quoted in part counts once, whatever blanks are in it.
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\\.|[^\s"\\])+')


def argument(argument: Argument, directive: str) -> str:
    """Spell one argument of ``directive``. Raise Refused where it could not be read exactly."""
    match argument:
        case Raw(text):
            return text
        case Format(text):
            return literal(text.replace("%", "%%"))
        case int():
            return str(argument)
        case str():
            return literal(argument)
    raise TypeError(f"{argument!r} is no argument of HAProxy's configuration")


def literal(text: str) -> str:
    """Spell ``text`` so that HAProxy reads exactly it; bare where that is plainly safe."""
    _refuse_unspeakable(text)
    return text if _BARE.match(text) else quoted(text)


def quoted(text: str) -> str:
    """Spell ``text`` inside double quotes, where a backslash, a quote and a dollar are live."""
    _refuse_unspeakable(text)
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def regex(text: str) -> str:
    """Escape ``text`` for use inside a regular expression (PCRE)."""
    return re.sub(r"([^A-Za-z0-9_/:@ \u0080-\U0010ffff-])", r"\\\1", text)


def comment(text: str) -> str:
    _refuse_unspeakable(text)
    return f"# {text}".rstrip()


def statement(name: str, arguments: list[str]) -> str:
    """A line. Raise Refused for one that HAProxy would cut."""
    line = " ".join([name, *arguments])
    if (words := len(_WORD.findall(line))) > _WORDS:
        raise Refused(name, f"it would have {words} words, and a line holds {_WORDS}")
    return line


def opening(name: str, arguments: list[str]) -> str:
    return statement(name, arguments)


def closing(name: str) -> str:
    return ""


def section_lines(
    dialect: Dialect, head: Iterable[Node], sections: Iterable[tuple[Directive, list[Node]]]
) -> Iterator[Line]:
    """A file: ``head``, which are comments, and sections, each with the line that begins it."""
    yield from print_lines(head, dialect)
    for begin, nodes in sections:
        yield Line("", None)
        yield from print_lines([begin], dialect)
        yield from print_lines(nodes, dialect, depth=1)


def _refuse_unspeakable(text: str) -> None:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused(text, "it holds a control character, which has no place in a setting")
    if re.search(r"[\ud800-\udfff]", text):
        raise Refused(text, "it is not valid UTF-8")
    if len(text.encode()) > _LONGEST:
        raise Refused(text, f"it is longer than {_LONGEST} bytes")
