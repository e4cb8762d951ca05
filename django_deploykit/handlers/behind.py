"""What an application believes of the front server it was emitted with, and of nobody else.

The other side is each front's renderer: it overwrites what is read here, and removes every other
spelling, in every request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django_deploykit import contract

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ADDRESS = contract.environ_key(contract.CLIENT_ADDRESS_HEADER)
_SCHEME = contract.environ_key(contract.SCHEME_HEADER)
STREAM = "X-Accel-Buffering"
PORTS = {"http": "80", "https": "443"}


def behind_front(
    application: WSGIApplication, *, gateway: str, prefix: str = "", data: Iterable[str] = ()
) -> WSGIApplication:
    """Wrap ``application`` to stand behind a front server that speaks ``gateway`` to it.

    Over ``"http"`` the client's address, the scheme and the ``data`` (names of SITE["ENVIRON"])
    are taken from the headers of the contract; over the other gateways they have arrived as
    parameters, which no client can write. The path is split at ``prefix``, however the server
    split it; a path outside of it is answered with 404. Every other header that only a proxy may
    set is dropped.
    """
    names = tuple(data)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if gateway == "http":
            _believe(environ, names)
        for key in contract.CLIENT_FORBIDDEN_KEYS:
            environ.pop(key, None)
        if not _split(environ, prefix):
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"Not Found\n"]
        return application(environ, _unbuffered(start_response))

    return answer


def _unbuffered(start_response: StartResponse) -> StartResponse:
    """Mark a response of unknown length as a stream, which a front passes on as it is written.

    nginx obeys the header, and removes it; without it, a buffer would be filled first.
    """

    def start(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        names = {name.lower() for name, _ in headers}
        if not names & {"content-length", STREAM.lower()}:
            headers = [*headers, (STREAM, "no")]
        return (
            start_response(status, headers, exc_info)
            if exc_info
            else start_response(status, headers)
        )

    return start


def _believe(environ: WSGIEnvironment, names: tuple[str, ...]) -> None:
    """Take what the front says over HTTP; without it (it never is), nothing is known."""
    scheme = environ.get(_SCHEME, "")
    environ["REMOTE_ADDR"] = environ.get(_ADDRESS, "")
    environ["wsgi.url_scheme"] = scheme if scheme in PORTS else "http"
    environ["SERVER_PORT"] = port_of(environ.get("HTTP_HOST", ""), environ["wsgi.url_scheme"])
    for key in ("REMOTE_HOST", "REMOTE_PORT"):
        environ.pop(key, None)
    for name in names:
        environ[name] = environ.pop(contract.environ_key(contract.data_header(name)), "")


def port_of(host: str, scheme: str) -> str:
    """The port that a Host header names, or that of the scheme."""
    name, _, port = host.rpartition(":")
    return port if name and port.isdecimal() else PORTS[scheme]


def _split(environ: WSGIEnvironment, prefix: str) -> bool:
    """Put the prefix into SCRIPT_NAME and the rest into PATH_INFO; False for another path."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    if prefix and not path.startswith(f"{prefix}/"):
        return False
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path[len(prefix) :]
    return True
