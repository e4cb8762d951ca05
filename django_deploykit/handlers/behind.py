"""What an application believes of the front server it was emitted with, and of nobody else.

The other side is each front's renderer: it overwrites what is read here, and removes every other
spelling, in every request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django_deploykit import contract, trust
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.wsgi import REWRITTEN, WsgiDoor, refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Where the front starts a file, whose own name may then be a part of the URL.
_STARTED = ("cgi", "fcgid")
# The headers by which a response tells of itself how it is to be passed on.
_TELLING = frozenset({"content-length", contract.STREAM_HEADER.lower()})


def behind_front(
    application: WSGIApplication,
    *,
    front: str,
    gateway: str,
    prefix: str = "",
    data: Iterable[str] = (),
) -> WSGIApplication:
    """Wrap ``application`` to stand behind the server ``front``, which speaks ``gateway`` to it.

    Over ``"http"`` the client's address, the scheme and the ``data`` (names of SITE["ENVIRON"])
    are taken from the headers of the contract, and a request without them is refused; over the
    other gateways they have arrived as parameters, which no client can write. The path is split
    at ``prefix``, however the server split it; a path outside of it is answered with 404. Every
    other header that only a proxy may set is dropped.
    """
    door = WsgiDoor(Judge(trust.emitted(gateway, tuple(data))), take_back=None)
    marks_streams, is_started = front in contract.STREAM_FRONTS, gateway in _STARTED

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if is_started:
            _forget_file(environ)
        for name in REWRITTEN:  # What mod_rewrite adds.
            environ.pop(name, None)
        try:
            _split(environ, prefix)
            door.enter(environ)
        except Refused as refused:
            return refuse(refused, start_response)
        return application(environ, _marked(start_response) if marks_streams else start_response)

    return answer


def _marked(start_response: StartResponse) -> StartResponse:
    """Mark a response of unknown length as a stream: otherwise a buffer would be filled first."""

    def start(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        for name, _ in headers:
            if name.lower() in _TELLING:
                break
        else:
            headers = [*headers, (contract.STREAM_HEADER, "no")]
        return (
            start_response(status, headers, exc_info)
            if exc_info
            else start_response(status, headers)
        )

    return start


def _forget_file(environ: WSGIEnvironment) -> None:
    """A rewritten URL (.htaccess) leads through the file's own name, which is not the site's."""
    url, _, name = environ.get("SCRIPT_NAME", "").rpartition("/")
    if name and name == os.path.basename(environ.get("SCRIPT_FILENAME", "")):
        environ["SCRIPT_NAME"] = url


def _split(environ: WSGIEnvironment, prefix: str) -> None:
    """Put the prefix into SCRIPT_NAME and the rest into PATH_INFO, whoever parted them before, be
    it gunicorn by a header (proxy/wsgi.py). Raise Refused (404) for another path, and for a bare
    prefix, which the front leads on to its slash."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    if prefix and not path.startswith(f"{prefix}/"):
        raise Refused(404, f"{path!r} does not lie below {prefix!r}")
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path[len(prefix) :]
