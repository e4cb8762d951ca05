"""The request that a web server asks about, as an HttpRequest for backends and policies."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, QueryDict, parse_cookie
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property

from django_deploykit import contract
from django_deploykit.auth.credentials import from_wire

# What backends, policies and signals need not see. REMOTE_PASSWD is mod_authnz_fcgi's.
_SECRETS = (
    "HTTP_AUTHORIZATION",
    "HTTP_PROXY_AUTHORIZATION",
    "REMOTE_PASSWD",
    contract.AUTH_TOKEN_KEY,
)

# What only a proxy may say. Nobody is trusted to speak for a client here, not even by settings:
# whoever listens to one (mod_remoteip) has put it where the server's own word stands.
_CLAIMS = frozenset((*contract.CLIENT_FORBIDDEN_KEYS, contract.environ_key(contract.PROOF_HEADER)))

# What servers read differently: a backslash, a fragment, a control character.
_STRANGE = re.compile(rb"[\x00-\x1f\x7f\\#]")
# What all read alike, as it stands: segments of plain characters, none of which begins with a dot.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?\Z")


class AreaRequest(HttpRequest):
    """A request without a body for a protected URL, which no view will answer.

    ``path`` is decoded and without dot segments: what the web server looks up. META is that of
    ``meta`` without passwords.
    """

    def __init__(self, meta: Mapping[str, str], path: str, method: str, *, secure: bool) -> None:
        # As WSGIRequest, without what HttpRequest.__init__ makes of nothing: it is half the cost.
        self.META = dict(meta)
        for key in _SECRETS:
            self.META.pop(key, None)
        self.path = self.path_info = path
        self.method = self.META["REQUEST_METHOD"] = method
        self.resolver_match = self.content_type = self.content_params = None
        self._secure = secure
        self._read_started = False
        self._stream = BytesIO()  # where HttpRequest reads its body

    @property
    def scheme(self) -> str:
        """That of the connection: SECURE_PROXY_SSL_HEADER names a header, which a client wrote."""
        return "https" if self._secure else "http"

    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]
        return parse_cookie(from_wire(self.META.get("HTTP_COOKIE", "")))

    @cached_property
    def GET(self) -> QueryDict:  # type: ignore[override]
        return QueryDict(from_wire(self.META.get("QUERY_STRING", "")))

    @cached_property
    def POST(self) -> QueryDict:  # type: ignore[override]
        return QueryDict()

    @cached_property
    def FILES(self) -> MultiValueDict[str, Any]:  # type: ignore[override]
        return MultiValueDict()


def address(request: HttpRequest) -> str:
    """Who asks: the client of the connection, or whom a trusted proxy speaks for."""
    return str(request.META.get("REMOTE_ADDR", ""))


def unclaimed(meta: Mapping[str, str]) -> dict[str, str]:
    """What a web server told, without what a client claims in headers that only a proxy may set,
    however it spelt them: some servers read "X.Real.Ip" as they do "X-Real-IP"."""
    return {key: value for key, value in meta.items() if key not in _CLAIMS}


def texts(environ: Mapping[str, Any]) -> dict[str, str]:
    """What is text of an environ: the rest lives no longer than the request."""
    return {key: value for key, value in environ.items() if isinstance(value, str)}


def from_mod_wsgi(environ: Mapping[str, Any]) -> AreaRequest:
    """What a hook of mod_wsgi is given.

    SCRIPT_NAME and PATH_INFO together are Apache's own idea of the path, in sub-requests too;
    REQUEST_URI is what the client wrote.
    """
    is_https = environ.get("mod_ssl.is_https")
    return AreaRequest(
        unclaimed(texts(environ)),
        from_wire(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
        environ.get("REQUEST_METHOD", "GET"),
        secure=bool(is_https and is_https()),
    )


def normalised(target: str) -> str | None:
    """The path of a request target, decoded once; None for one that servers read differently.

    Those have an encoded slash, a backslash, a fragment, a control character, or are not a path; or
    they have ".." and an empty segment, which some take for the one that ".." takes away, as nginx
    with ``merge_slashes off``, and others do not see at all.
    ``target`` is text that a gateway read as Latin-1: its bytes may be those of a name as it is.
    """
    path = target.partition("?")[0]
    if _PLAIN.match(path):
        return path
    try:
        raw = unquote_to_bytes(path.encode("latin-1"))
    except UnicodeEncodeError:  # No gateway wrote that.
        return None
    if not path.startswith("/") or "%2f" in path.lower() or _STRANGE.search(raw):
        return None
    decoded = raw.decode("utf-8", "surrogateescape")
    if "//" in decoded and ".." in decoded.split("/"):
        return None
    resolved = posixpath.normpath("/" + decoded.lstrip("/"))
    is_directory = decoded.endswith(("/", "/.", "/.."))
    return resolved if not is_directory or resolved == "/" else f"{resolved}/"
