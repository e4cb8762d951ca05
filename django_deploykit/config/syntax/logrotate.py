"""The grammar of logrotate(8): files and, in braces, what happens to those files.

Files are patterns, which are split into words as a shell would, and then searched for wildcards;
scripts are lines up to ``endscript``.
"""

from __future__ import annotations

import re

from django_deploykit.config.syntax.nodes import Argument, Glob, Raw
from django_deploykit.config.syntax.printer import Refused
from django_deploykit.config.syntax.systemd import comment as comment
from django_deploykit.config.syntax.systemd import refuse_unspeakable

name = "logrotate's configuration"

# What encloses a script, in place of braces.
SCRIPT = "postrotate"
# What encloses rules for files, which stand before the brace.
FILES = "files"


def argument(argument: Argument, directive: str) -> str:
    """Spell one argument. Raise Refused where it could not be read exactly."""
    match argument:
        case Raw(text):
            return text
        case int():
            return str(argument)
        case Glob(text):
            return _literal(text)
    raise TypeError(f"{argument!r} is no argument of logrotate")


def statement(name: str, arguments: list[str]) -> str:
    return " ".join([name, *arguments])


def opening(name: str, arguments: list[str]) -> str:
    if name == SCRIPT:
        return name
    return " ".join([*(f'"{path}"' for path in arguments), "{"])


def closing(name: str) -> str:
    return "endscript" if name == SCRIPT else "}"


def _literal(text: str) -> str:
    refuse_unspeakable(text)
    # A brace opens the rules even inside of quotes.
    if re.search(r'[*?\[\]{}\\"]', text):
        raise Refused(text, "wildcards, braces, backslashes and double quotes are special here")
    return text
