"""The grammar of systemd's unit files.

A value is the rest of its line, or a list of words that may be quoted; ``%`` is live in both.
Sources: systemd.syntax(7), systemd.unit(5) "Specifiers", systemd.service(5) "Command lines",
systemd.exec(5), and what a running systemd read back (``tests/servers/test_systemd_values.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from django_deploykit.config.syntax.nodes import Argument, Glob, Node, Option, Raw
from django_deploykit.config.syntax.printer import Dialect, Line, Refused, print_lines

name = "systemd's unit files"

_BARE = re.compile(r"[A-Za-z0-9_./:@=+,~-]+\Z")

# One value to the end of the line, where quotes stand for themselves.
_REST_OF_LINE = (
    *("Description", "Documentation", "WorkingDirectory", "EnvironmentFile", "ListenStream"),
    *("User", "Group", "SocketUser", "SocketGroup"),
)


def argument(argument: Argument, directive: str) -> str:
    """Spell one argument of ``directive``. Raise Refused where it could not be read exactly."""
    match argument:
        case Raw(text):
            return text
        case Option(key, value):
            return word(f"{key}={value}")
        case Glob(text):
            return _rest_of_line(_without_wildcards(text))
        case int():
            return str(argument)
        case str() if directive in _REST_OF_LINE:
            return _rest_of_line(argument)
        case str():
            return word(argument)
    raise TypeError(f"{argument!r} is no argument of a unit file")


def word(text: str) -> str:
    """Spell ``text`` as one word with C's escapes; bare where that is plainly safe."""
    refuse_unspeakable(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return text if _BARE.match(text) else f'"{escaped}"'


def refuse_unspeakable(text: str) -> None:
    """Raise Refused for what has no place in a setting, in this file and its relatives."""
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        raise Refused(text, "it holds a control character, which has no place in a setting")
    if re.search(r"[\ud800-\udfff]", text):
        raise Refused(text, "it is not valid UTF-8")


def comment(text: str) -> str:
    refuse_unspeakable(text)
    return f"# {text}".rstrip()


def statement(name: str, arguments: list[str]) -> str:
    # systemd.service(5): behind the colon, no variable of the environment is put in.
    prefix = ":" if name == "ExecStart" else ""
    return f"{name}={prefix}{' '.join(arguments)}"


def opening(name: str, arguments: list[str]) -> str:
    return f"[{name}]"


def closing(name: str) -> str:
    return ""


def unit_lines(
    dialect: Dialect, head: Iterable[Node], sections: Iterable[tuple[str, list[Node]]]
) -> Iterator[Line]:
    """A unit file: ``head``, which are comments, and sections, whose lines are not indented."""
    yield from print_lines(head, dialect)
    for section, nodes in sections:
        yield Line("", None)
        yield Line(opening(section, []), None)
        yield from print_lines(nodes, dialect)


def _rest_of_line(text: str) -> str:
    refuse_unspeakable(text)
    if text != text.strip() or not text:
        raise Refused(text, "blanks at either end, and an empty value, are lost in this place")
    if text.endswith("\\"):
        raise Refused(text, "a backslash at the end of a line continues it, and nothing escapes it")
    return text.replace("%", "%%")


def _without_wildcards(text: str) -> str:
    if re.search(r"[*?\[\]\\]", text):
        raise Refused(text, "'*', '?', '[', ']' and a backslash are wildcards in this place")
    return text
