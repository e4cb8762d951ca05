"""How each web server is told which file to send, and which names it can be told.

Measured on nginx 1.22, lighttpd 1.4.69, and Apache 2.4 with mod_xsendfile 0.12 and 1.0: one
spelling does not fit all, and the wrong one sends another file.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from django_deploykit import contract
from django_deploykit.exceptions import unknown
from django_deploykit.sendfile.policy import Policy
from django_deploykit.sendfile.roots import Place

# A server reads the headers of a response into a buffer, the smallest of 4 KiB.
_LONGEST = 2048
# What a front says by itself, whatever Django says.
_SERVER_SAYS = ("Content-Length", "Strict-Transport-Security")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENCODED = re.compile(rb"[^A-Za-z0-9_.~/-]")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Backend:
    """A header, and how it spells a place: None where this server cannot be told.

    ``sends_ranges`` tells whether the server sends parts of the file by itself, ``remembers``
    for how many seconds it goes on sending a file that another one has replaced. ``restores`` are
    the headers of a response that would be lost, and are told in a query; ``loses`` says that all
    others are. ``fetches`` tells whether it gets files out of object storage too.
    """

    name: str
    header: str
    spell: Callable[[Place], str | None]
    sends_ranges: bool = True
    remembers: int = 0
    restores: tuple[str, ...] = ()
    loses: bool = False
    fetches: bool = False

    def may_send_another(self, changed: float) -> bool:
        """Tell whether the server may not know yet that the file ``changed``."""
        return time.time() - changed < self.remembers

    def value(self, place: Place, response: HttpResponseBase) -> str | None:
        """The value of the header for this file; None where Python has to send it."""
        if self.loses and self._lost(response):
            return None
        spelled = self.spell(place) if place.root.url else None
        if spelled is not None and self.restores:
            spelled += f"?{self._query(response)}"
        return spelled if spelled is not None and len(spelled) <= _LONGEST else None

    def _lost(self, response: HttpResponseBase) -> bool:
        """Tell whether the client would miss something."""
        known = {name.lower() for name in (*self.restores, *_SERVER_SAYS)}
        return bool(response.cookies) or any(name.lower() not in known for name in response.headers)

    def _query(self, response: HttpResponseBase) -> str:
        # Apache decodes no '%2F' here, and needs none.
        said = [(name, response.get(name)) for name in self.restores]
        return "&".join(f"{name.lower()}={quote(value)}" for name, value in said if value)


def _url(place: Place) -> str:
    """A URL; nginx decodes it after it has looked for '?', so that all of it is encoded."""
    return place.root.url + _encoded(place.relative)


def _encoded_path(place: Place) -> str | None:
    """A path that is decoded once. lighttpd refuses control characters, and what is no UTF-8."""
    if _UNSPEAKABLE.search(place.path):
        return None
    return place.root.encoded + _encoded(place.relative)


def _encoded(path: str) -> str:
    """Do what quote() does, which takes long over every byte of a path that has one blank."""
    return _ENCODED.sub(lambda found: b"%%%02X" % ord(found[0]), os.fsencode(path)).decode()


def _path_without_links(place: Place) -> str | None:
    """lighttpd refuses a path with a link anywhere, be it above the directory."""
    has_link = _has_link(place.root.directory, int(time.time()))
    return None if has_link else _encoded_path(place)


@lru_cache(maxsize=64)
def _has_link(directory: str, second: int) -> bool:
    """Look once in a ``second``, as often as lighttpd does: it costs as much as the file itself."""
    return os.path.realpath(directory) != directory.rstrip("/")


def _raw_path(place: Place) -> str | None:
    """A path as its bytes are, which a header carries as Latin-1. Blanks at its end are lost."""
    path = place.path
    if _CONTROL.search(path) or path != path.strip():
        return None
    return os.fsencode(path).decode("latin-1")


def _raw_plain_path(place: Place) -> str | None:
    """mod_proxy_scgi answers some names with '%' with 500, and none otherwise than raw."""
    return None if "%" in place.path else _raw_path(place)


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("nginx", contract.ACCEL_HEADER, _url, fetches=True),
        # What lighttpd knows of a file, it looks up again in the next second (stat_cache.c).
        Backend("lighttpd", contract.SENDFILE_HEADER, _path_without_links, remembers=2),
        Backend("mod_xsendfile-0.12", contract.SENDFILE_HEADER, _raw_path),
        Backend("mod_xsendfile-1.0", contract.SENDFILE_HEADER, _encoded_path),
        Backend("mod_proxy_scgi", contract.SENDFILE_HEADER, _raw_plain_path, sends_ranges=False),
        Backend(
            "mod_proxy_scgi-redirect",
            contract.SCGI_REDIRECT_HEADER,
            _url,
            restores=contract.REPLACED_HEADERS,
        ),
        Backend(
            "mod_wsgi",
            contract.WSGI_REDIRECT_HEADER,
            _url,
            restores=contract.RESTORED_HEADERS,
            loses=True,
        ),
    )
}
STREAM = contract.STREAM_BACKEND


def of(request: HttpRequest, policy: Policy) -> Backend | None:
    """Who sends the file: by settings, else by the stack that was emitted; None for Python."""
    name = policy.backend or _by_stack(request, policy.mod_xsendfile)
    if name not in contract.SENDFILE_BACKENDS:
        setting = "DEPLOYKIT['SENDFILE']['BACKEND']"
        raise ImproperlyConfigured(unknown("value", name, setting, contract.SENDFILE_BACKENDS))
    return BACKENDS.get(name)


def _by_stack(request: HttpRequest, mod_xsendfile: str) -> str:
    # No client can set these: headers arrive as HTTP_*, and the rest is the operator's.
    if stated := request.META.get(contract.SENDFILE_KEY):
        return str(stated)
    stack = os.environ.get(contract.STACK_KEY) or request.META.get(contract.STACK_KEY, "")
    front, _, gateway = stack.partition("/")
    if front != "apache":
        # lighttpd is told to take no such header of a CGI script.
        return front if front in BACKENDS and gateway != "cgi" else STREAM
    if mod_xsendfile:
        return f"mod_xsendfile-{mod_xsendfile}"
    return "mod_proxy_scgi" if gateway == "scgi" else STREAM
