"""The grammar of uWSGI's ini files.

There are no quotes: a value is the rest of its line. ``%``, ``$(NAME)`` and ``@(scheme://...)``
are live everywhere, and ``@(exec://...)`` runs a command.
Source: https://uwsgi-docs.readthedocs.io/en/latest/Configuration.html
"""

from __future__ import annotations

import re

from django_deploykit.config.syntax.nodes import Argument, Raw
from django_deploykit.config.syntax.printer import Refused

name = "uWSGI's ini format"


def argument(argument: Argument, directive: str) -> str:
    """Spell a value. Raise Refused where uWSGI could not read it back exactly."""
    match argument:
        case Raw(text):
            return text
        case int():
            return str(argument)
        case str():
            return _literal(argument)
    raise TypeError(f"{argument!r} is no argument of an ini file")


def _literal(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused(text, "it holds a control character (a line feed would end the option)")
    if re.search(r"[%$@]\(", text):
        raise Refused(text, "'%(', '$(' and '@(' are replaced when the file is read")
    if text != text.strip() or not text:
        raise Refused(text, "blanks at either end, and an empty value, are lost")
    if re.search(r"[\ud800-\udfff]", text):
        raise Refused(text, "it is not valid UTF-8")
    return text.replace("%", "%%")


def comment(text: str) -> str:
    return f"; {text}"


def statement(name: str, arguments: list[str]) -> str:
    return f"{name} = {' '.join(arguments)}"


def opening(name: str, arguments: list[str]) -> str:
    return f"[{name}]"


def closing(name: str) -> str:
    return ""
