"""The grammar of lighttpd's configuration files.

An array is a block whose children are its entries: ``=>`` for a pair, an empty name for a value.
Under a key, an array of pairs is a list of one such array; one of plain values, or of several such
arrays, each an ``=> ENTRY``, is ``=> LIST``.
Several arguments of one statement are parts of one value, joined by ``+``.
Sources: https://redmine.lighttpd.net/projects/lighttpd/wiki/Docs_Configuration, and what was
read back from a running server (``tests/servers/test_lighttpd_values.py``).
"""

from __future__ import annotations

import re

from django_deploykit.config.syntax.nodes import Argument, Raw, Substitution
from django_deploykit.config.syntax.printer import Refused

name = "lighttpd's configuration"

PAIR = "=>"
LIST = "=> LIST"
ENTRY = "=> ENTRY"
VALUE = ""


def argument(argument: Argument, directive: str) -> str:
    """Spell one argument. Raise Refused where lighttpd could not read it back exactly."""
    match argument:
        case Raw(text):
            return text
        case Substitution(parts):
            return quoted("".join(map(_substitution, parts)))
        case int():
            return str(argument)
        case str():
            return quoted(argument)
    raise TypeError(f"{argument!r} is no argument of lighttpd's configuration")


def quoted(text: str) -> str:
    """Spell ``text`` inside double quotes; a backslash before any other sign is itself."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused(text, "it holds a control character")
    if re.search(r"[\ud800-\udfff]", text):
        raise Refused(text, "it is not valid UTF-8")
    if text.endswith("\\"):
        raise Refused(text, "a backslash at the end would hide the closing quote")
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def regex(text: str) -> str:
    """Escape ``text`` for use inside a regular expression (PCRE) in double quotes."""
    # What is not ASCII stands for itself: PCRE matches bytes here.
    escaped = re.sub(r"([^A-Za-z0-9_/:@\" \u0080-\U0010ffff-])", r"\\\1", text)
    return escaped.replace('"', r"\x22")


def comment(text: str) -> str:
    return f"# {text}".rstrip()


def statement(name: str, arguments: list[str]) -> str:
    if name == VALUE:
        return f"{arguments[0]},"
    if name == PAIR:
        return f"{arguments[0]} => {' + '.join(arguments[1:])},"
    if name == "include":
        return f"include {arguments[0]}"
    return f"{_assigned(name)} {' + '.join(arguments)}"


def opening(name: str, arguments: list[str]) -> str:
    if _is_condition(name):
        return " ".join([name, *arguments, "{"])
    if name == PAIR:
        return f"{arguments[0]} => (("
    if name == ENTRY:
        return "("
    if name == LIST:
        return f"{arguments[0]} => ("
    return f"{_assigned(name)} {' + '.join([*arguments, '('])}"


def closing(name: str) -> str:
    if _is_condition(name):
        return "}"
    return {PAIR: ")),", LIST: "),", ENTRY: "),"}.get(name, ")")


def _assigned(name: str) -> str:
    """The name and its operator: ``:=`` where it may have a value already, ``+=`` to append."""
    return name if name.endswith("=") else f"{name} ="


def _is_condition(name: str) -> bool:
    return name.startswith("$") or name.split()[0] == "else"


def _substitution(part: str | int) -> str:
    # In a redirect's target, %1 is what the condition around it captured.
    return f"%{part}" if isinstance(part, int) else re.sub(r"([%$])", r"\1\1", part)
