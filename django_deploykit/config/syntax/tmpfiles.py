"""The grammar of tmpfiles.d(5): lines of words, quoted and with specifiers as in unit files."""

from __future__ import annotations

from django_deploykit.config.syntax import systemd
from django_deploykit.config.syntax.nodes import Argument, Raw

name = "tmpfiles.d"


def argument(argument: Argument, directive: str) -> str:
    """Spell one field of a line. Raise Refused where it could not be read exactly."""
    match argument:
        case Raw(text):
            return text
        case str():
            return systemd.word(argument)
    raise TypeError(f"{argument!r} is no field of a line of tmpfiles.d")


def comment(text: str) -> str:
    return systemd.comment(text)


def statement(name: str, arguments: list[str]) -> str:
    return " ".join([name, *arguments])


def opening(name: str, arguments: list[str]) -> str:
    raise TypeError("tmpfiles.d has no blocks")


def closing(name: str) -> str:
    raise TypeError("tmpfiles.d has no blocks")
