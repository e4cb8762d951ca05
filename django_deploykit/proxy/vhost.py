"""Virtual hosts in the path, as Nevow's VHostMonster has them: /vhost/https/example.com/page.

Beside it, Zope's way to say a prefix: segments ``_vh_name`` right after the host. Nevow, and
Twisted after it, let a visitor nest the marker and so choose the host; here it counts once.
"""

from __future__ import annotations

from typing import NamedTuple

from django_deploykit.proxy import origin
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.prefix import is_below
from django_deploykit.trust import clean_prefix

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


def read(path: str, raw: str, marker: str) -> VirtualHost:
    """Take a path apart. Raise Refused: 404 if it has not the shape, 400 if its words are wrong.

    A trusted proxy writes plainly what is consumed here. A percent sign in it, which only the
    ``raw`` path shows, is somebody else's; '' means that no raw path is known.
    """
    words = path.split("/", 4)[1:4]
    if len(words) < 3 or not words[2]:
        raise Refused(404, "a scheme and a host must follow the marker")
    if words[1] not in origin.PORTS:
        raise Refused(400, f"{words[1]!r} is neither http nor https")
    name, port = origin.host(words[2])
    consumed = "/".join(["", *words])
    prefix, segments = _prefix(path[len(consumed) :])
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


def _prefix(path: str) -> tuple[str, str]:
    """The prefix that segments ``_vh_name`` at the beginning make, and these segments."""
    names = []
    for segment in path.split("/")[1:]:
        if not segment.startswith(_PREFIX_SEGMENT):
            break
        names.append(segment.removeprefix(_PREFIX_SEGMENT))
    prefix = clean_prefix("".join(f"/{name}" for name in names)) if all(names) else None
    if prefix is None:
        raise Refused(400, f"{names!r} make no URL prefix")
    return prefix, "".join(f"/{_PREFIX_SEGMENT}{name}" for name in names)


def _raw_rest(raw: str, consumed: str, marker: str) -> str:
    """What is left of the raw path, to the byte."""
    if not is_below(raw, consumed):
        # Without the plain marker, nobody but the client spoke of virtual hosts at all.
        status = 400 if has_marker(raw, marker) else 404
        raise Refused(status, f"{raw!r} does not spell {consumed!r} plainly")
    return raw[len(consumed) :] or "/"
