"""RFC 7239: the ``Forwarded`` header."""

from __future__ import annotations

import re

from django_deploykit.proxy.addresses import MAX_ENTRIES, MAX_LENGTH
from django_deploykit.proxy.decision import Refused

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 7239 4: no blanks around "=". Addresses and hosts with a colon or brackets have to be quoted,
# but some proxies forget it; no delimiter is among those characters.
_PAIR = re.compile(rf'({_NAME})=(?:"((?:[^"\\]|\\.)*)"|([^\s",;=\\]*))[ \t]*(?=[,;]|\Z)')
_GAP = re.compile(r"[ \t;]*")


def parse(text: str) -> list[dict[str, str]]:
    """The elements of a Forwarded header, nearest proxy last: parameters by lower-case name.

    Raise Refused for anything else: an open quote would swallow what the next proxy wrote, and a
    parameter given twice leaves open which one counts.
    """
    if len(text) > MAX_LENGTH:
        raise Refused(400, f"Forwarded has {len(text)} characters")
    elements: list[dict[str, str]] = [{}]
    place = _skip(text, 0)
    while place < len(text):
        if text[place] == ",":
            elements.append({})
            place = _skip(text, place + 1)
            continue
        match = _PAIR.match(text, place)
        if match is None:
            raise Refused(400, f"Forwarded cannot be read at {text[place : place + 20]!r}")
        _add(elements[-1], match)
        place = _skip(text, match.end())
    found = [element for element in elements if element]
    if len(found) > MAX_ENTRIES:
        raise Refused(400, f"Forwarded has {len(found)} elements")
    return found


def _add(element: dict[str, str], match: re.Match[str]) -> None:
    name, quoted, plain = match[1].lower(), match[2], match[3]
    if name in element:
        raise Refused(400, f"Forwarded says {name!r} twice in one element")
    element[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _skip(text: str, place: int) -> int:
    """The place after blanks, and after semicolons with nothing between them."""
    match = _GAP.match(text, place)
    return match.end() if match else place
