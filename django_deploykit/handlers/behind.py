"""What an application believes of the front server it was emitted with, and of nobody else.

The other side is each front's renderer: it overwrites what is read here, and removes every other
spelling, in every request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django_deploykit import contract

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ADDRESS = contract.environ_key(contract.CLIENT_ADDRESS_HEADER)
_SCHEME = contract.environ_key(contract.SCHEME_HEADER)
_PORT = re.compile(r"[0-9]{1,5}\Z")
PORTS = {"http": "80", "https": "443"}
# What mod_rewrite adds; Django would take the prefix from there (django.core.handlers.wsgi).
_REWRITTEN = ("SCRIPT_URL", "REDIRECT_URL")
# Where the front starts a file, whose own name may then be a part of the URL.
_STARTED = ("cgi", "fcgid")


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
    are taken from the headers of the contract; over the other gateways they have arrived as
    parameters, which no client can write. The path is split at ``prefix``, however the server
    split it; a path outside of it is answered with 404. Every other header that only a proxy may
    set is dropped.
    """
    names, marks_streams = tuple(data), front in contract.STREAM_FRONTS

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if gateway == "http":
            _believe(environ, names)
        if gateway in _STARTED:
            _forget_file(environ)
        for key in contract.CLIENT_FORBIDDEN_KEYS:
            environ.pop(key, None)
        if not _split(environ, prefix):
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"Not Found\n"]
        return application(environ, _marked(start_response) if marks_streams else start_response)

    return answer


def _marked(start_response: StartResponse) -> StartResponse:
    """Mark a response of unknown length as a stream: otherwise a buffer would be filled first."""

    def start(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        names = {name.lower() for name, _ in headers}
        if not names & {"content-length", contract.STREAM_HEADER.lower()}:
            headers = [*headers, (contract.STREAM_HEADER, "no")]
        return (
            start_response(status, headers, exc_info)
            if exc_info
            else start_response(status, headers)
        )

    return start


def _believe(environ: WSGIEnvironment, names: tuple[str, ...]) -> None:
    """Take what the front says over HTTP; without it (it never is), nothing is known."""
    said = environ.get(_SCHEME, "")
    scheme = said if said in PORTS else "http"
    environ["REMOTE_ADDR"] = environ.get(_ADDRESS, "")
    environ["wsgi.url_scheme"] = scheme
    environ["SERVER_PORT"] = port_of(environ.get("HTTP_HOST", ""), scheme)
    for key in ("REMOTE_HOST", "REMOTE_PORT"):
        environ.pop(key, None)
    for name in names:
        environ[name] = environ.pop(contract.environ_key(contract.data_header(name)), "")


def _forget_file(environ: WSGIEnvironment) -> None:
    """A rewritten URL (.htaccess) leads through the file's own name, which is not the site's."""
    url, _, name = environ.get("SCRIPT_NAME", "").rpartition("/")
    if name and name == os.path.basename(environ.get("SCRIPT_FILENAME", "")):
        environ["SCRIPT_NAME"] = url


def port_of(host: str, scheme: str) -> str:
    """The port that a Host header names, or that of the scheme."""
    name, _, port = host.rpartition(":")
    return port if name and _PORT.match(port) else PORTS[scheme]


def _split(environ: WSGIEnvironment, prefix: str) -> bool:
    """Put the prefix into SCRIPT_NAME and the rest into PATH_INFO; False for another path."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    if prefix and not path.startswith(f"{prefix}/"):
        return False
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path[len(prefix) :]
    for name in _REWRITTEN:
        environ.pop(name, None)
    return True
