"""The door for WSGI: an environ is read, decided upon, and written anew."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from django_deploykit import contract
from django_deploykit.proxy import origin, prefix
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import NOWHERE, Decision, Peer, Refused, Target, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# gunicorn hands its socket over: what kind it is, and whether it is TLS, is known beyond doubt.
_SOCKET = "gunicorn.socket"
_Socket, _TlsSocket, _UNIX = socket.socket, ssl.SSLSocket, int(socket.AF_UNIX)
# The number alone: socket.socket makes a member of an enum of it each time. A class in its place
# (eventlet) may be a wrapper of one.
_family: Callable[[Any], Any] = (
    socket.SocketType.family.__get__
    if issubclass(socket.socket, socket.SocketType)
    else attrgetter("family")
)
_UWSGI = "uwsgi.version"
_DECISION = contract.DECISION_KEY
_SCRIPT_NAME = contract.CGI_HEADERS[0]
_HEADERS = {
    contract.environ_key(name): name
    for name in (*contract.CLIENT_FORBIDDEN_HEADERS, contract.PROOF_HEADER)
}
_KEYS = frozenset(_HEADERS)
# Where servers put the request line's path, and a script name before rewriting, which Django
# prefers to SCRIPT_NAME (django/core/handlers/wsgi.py).
_RAW = ("RAW_URI", "REQUEST_URI")
REWRITTEN = ("SCRIPT_URL", "REDIRECT_URL")


def take_back(environ: WSGIEnvironment) -> None:
    """Undo what gunicorn believes of a header, by default from whoever is on loopback: it makes
    SCRIPT_NAME of the last such line, and cuts that off the path (forwarder_headers).

    Which lines there were, and what came of them, can no longer be told: the path is read from the
    request line anew. Raise Refused for one that gunicorn itself would not answer.
    """
    target, _, query = environ["RAW_URI"].partition("?")
    path = unquote_to_bytes(origin.request_path(target)).decode("latin-1")
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = "", path
    if query != environ["QUERY_STRING"]:  # Over uwsgi it may: the path in RAW_URI is decoded there.
        raise Refused(400, "the request line does not tell where the path ends")
    if own := os.environ.get("SCRIPT_NAME", "").rstrip("/"):
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix.split(own, "", path)


class WsgiDoor:
    """Makes environs say what one judge decides.

    ``take_back`` gives an environ its own mount where gunicorn may have believed another; None
    where whoever calls has done so.
    """

    def __init__(
        self, judge: Judge, take_back: Callable[[WSGIEnvironment], None] | None = take_back
    ) -> None:
        self._decide, self._take_back = judge.decide, take_back
        data = judge.policy.data
        more = {contract.environ_key(name): name for name in map(contract.data_header, data)}
        self._headers = {**_HEADERS, **more} if more else _HEADERS
        self._keys = frozenset(self._headers) if more else _KEYS

    def enter(self, environ: WSGIEnvironment) -> Decision:
        """Decide on a request, once, and write it anew. Raise Refused.

        Whatever is decided, every header that only a proxy may set is removed.
        """
        get, names = environ.get, self._headers
        known = get(_DECISION)
        if isinstance(known, Decision):
            return known
        headers = {}
        for key in self._keys.intersection(environ):
            headers[names[key]] = environ.pop(key)
        if _SCRIPT_NAME in headers and _SOCKET in environ and self._take_back:
            self._take_back(environ)
        raw = get("RAW_URI") or get("REQUEST_URI") or ""
        target = get("SCRIPT_NAME", "").rstrip("/"), get("PATH_INFO") or "/", raw
        peer = _peer(environ, headers)
        decision = self._decide(peer, get("HTTP_HOST", ""), target, headers)
        _write(environ, decision, target)
        environ[_DECISION] = decision
        return decision


def refuse(refused: Refused, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a refused request; why is for the log, not for the client."""
    refused.log()
    start_response(
        f"{refused.status} {refused.phrase}", [("Content-Type", "text/plain; charset=utf-8")]
    )
    return [f"{refused.phrase}\n".encode()]


def _peer(environ: WSGIEnvironment, headers: dict[str, str]) -> Peer:
    address, listener = environ.get("REMOTE_ADDR") or "", environ.get(_SOCKET)
    if isinstance(listener, _Socket):  # gunicorn may have believed a header of its scheme.
        family, is_tls = _family(listener), isinstance(listener, _TlsSocket)
    elif listener is not None:  # Of a class that gevent or eventlet has put in the place of it.
        family, is_tls = getattr(listener, "family", None), hasattr(listener, "getpeercert")
    else:
        family, is_tls = None, environ.get("wsgi.url_scheme") == "https"
        if headers and _UWSGI in environ:
            is_tls = _tells_uwsgi_tls(environ)
    scheme = "https" if is_tls else "http"
    return record(Peer, (address, family == _UNIX, listener is not None, scheme))


def _tells_uwsgi_tls(environ: WSGIEnvironment) -> bool:
    """What uWSGI was told of TLS: it also takes two headers for it, whoever wrote them (its
    core/protocol.c, uwsgi_proto_check_20 and uwsgi_proto_check_22)."""
    if scheme := environ.get("UWSGI_SCHEME"):
        return bool(scheme == "https")
    return environ.get("HTTPS", "").lower() in ("on", "1")


def _write(environ: WSGIEnvironment, decision: Decision, told: Target) -> None:
    (_, is_unix, _, scheme), _, _, _, (address, _, hops, _), place, target, data = decision
    if data:
        environ.update(data)
    if scheme != environ.get("wsgi.url_scheme"):
        environ["wsgi.url_scheme"] = scheme
        if is_unix:  # Without a port of its own, gunicorn made one up from what it believed.
            environ["SERVER_PORT"] = str(origin.PORTS[scheme])
    if place is not NOWHERE:
        environ.update(place.variables)
    if hops:
        environ["REMOTE_ADDR"] = address
        # Those of the proxy, and nobody told the client's.
        environ.pop("REMOTE_HOST", None)
        environ.pop("REMOTE_PORT", None)
    if target is not told:
        _move(environ, target)


def _move(environ: WSGIEnvironment, target: Target) -> None:
    environ["SCRIPT_NAME"], environ["PATH_INFO"], raw = target
    for key in REWRITTEN:
        environ.pop(key, None)
    for key in _RAW:
        if key in environ:
            environ[key] = raw
