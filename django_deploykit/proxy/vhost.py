"""Virtual hosts in the path, as Nevow's VHostMonster has them: /vhost/https/example.com/page.

Or as Zope's has them: /VirtualHostBase/https/example.com:443/VirtualHostRoot/page. In both,
segments ``_vh_name`` before the page are a prefix, which is Zope's too. Nevow, and Twisted after
it, let a visitor nest the marker and so choose the host; here it counts once.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile
from typing import NamedTuple

from django_deploykit import contract
from django_deploykit.proxy import origin
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.prefix import is_below

_PREFIX_SEGMENT = "_vh_"


class VirtualHost(NamedTuple):
    """What a path said, and what is left of it. ``raw_path`` is '' where none was known."""

    scheme: str
    host: str
    port: int
    prefix: str
    path: str
    raw_path: str


def has_marker(path: str, marker: str) -> bool:
    """Tell whether the first segment of a path is the marker."""
    return is_below(path, f"/{marker}")


def read(path: str, raw: str, marker: str, allowed: Collection[str] = ()) -> VirtualHost:
    """Take a path apart. Raise Refused: 404 if it has not the shape, 400 if its words are wrong.

    ``allowed`` are the prefixes that it may have. A trusted proxy writes plainly what is consumed
    here. A percent sign in it, which only the ``raw`` path shows, is somebody else's; '' means
    that no raw path is known.
    """
    words = path.split("/", 4)[1:4]
    if len(words) < 3 or not words[2]:
        raise Refused(404, "a scheme and a host must follow the marker")
    if words[1] not in origin.PORTS:
        raise Refused(400, f"{words[1]!r} is neither http nor https")
    name, port = origin.host(words[2])
    consumed = "/".join(["", *words])
    if marker == contract.ZOPE_MARKER:
        consumed += _root(path[len(consumed) :])
    prefix, segments = _prefix(path[len(consumed) :], allowed)
    consumed += segments
    rest = path[len(consumed) :] or "/"
    if has_marker(rest, marker):
        raise Refused(404, "the marker counts once")
    return VirtualHost(
        scheme=words[1],
        host=name,
        port=port or origin.PORTS[words[1]],
        prefix=prefix,
        path=rest,
        raw_path=_raw_rest(raw, consumed, marker) if raw else "",
    )


def _root(path: str) -> str:
    """Zope's second marker. Before it Zope has the path of an object, which no URL shows: Django
    has one root alone. Nor may it be missing: a visitor could then write it, and a prefix."""
    if not is_below(path, contract.ZOPE_ROOT):
        raise Refused(404, f"{contract.ZOPE_ROOT!r} must follow the host at once")
    return contract.ZOPE_ROOT


def _prefix(path: str, allowed: Collection[str]) -> tuple[str, str]:
    """The prefix that segments ``_vh_name`` at the beginning make, and these segments.

    A visitor can write them too, where the proxy writes none or behind its own, and would get one
    page under the URL of another, for a cache to keep: so only a prefix that is listed counts.
    """
    segments = list(takewhile(_names_prefix, path.split("/")[1:]))
    found = "".join(f"/{segment.removeprefix(_PREFIX_SEGMENT)}" for segment in segments)
    if found and found not in allowed:
        raise Refused(400, f"the prefix {found!r} is not among PREFIX['ALLOWED']")
    return found, "".join(f"/{segment}" for segment in segments)


def _names_prefix(segment: str) -> bool:
    return segment.startswith(_PREFIX_SEGMENT)


def _raw_rest(raw: str, consumed: str, marker: str) -> str:
    """What is left of the raw path, to the byte."""
    if not is_below(raw, consumed):
        # Without the plain marker, nobody but the client spoke of virtual hosts at all.
        status = 400 if has_marker(raw, marker) else 404
        raise Refused(status, f"{raw!r} does not spell {consumed!r} plainly")
    return raw[len(consumed) :] or "/"
