"""What an application believes of the front server it was emitted with, and of nobody else.

The other side is each front's renderer: it overwrites what is read here, and removes every other
spelling, in every request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django_deploykit import trust
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.wsgi import WsgiDoor, refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STREAM = "X-Accel-Buffering"


def behind_front(
    application: WSGIApplication, *, gateway: str, prefix: str = "", data: Iterable[str] = ()
) -> WSGIApplication:
    """Wrap ``application`` to stand behind a front server that speaks ``gateway`` to it.

    Over ``"http"`` the client's address, the scheme and the ``data`` (names of SITE["ENVIRON"])
    are taken from the headers of the contract, and a request without them is refused; over the
    other gateways they have arrived as parameters, which no client can write. The path is split
    at ``prefix``, however the server split it; a path outside of it is answered with 404. Every
    other header that only a proxy may set is dropped.
    """
    door = WsgiDoor(Judge(trust.emitted(gateway, tuple(data))))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            _split(environ, prefix)
            door.enter(environ)
        except Refused as refused:
            return refuse(refused, start_response)
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
        if not names & {"content-length", _STREAM.lower()}:
            headers = [*headers, (_STREAM, "no")]
        return (
            start_response(status, headers, exc_info)
            if exc_info
            else start_response(status, headers)
        )

    return start


def _split(environ: WSGIEnvironment, prefix: str) -> None:
    """Put the prefix into SCRIPT_NAME and the rest into PATH_INFO. Raise Refused (404) for
    another path, and for a bare prefix, which the front leads on to its slash."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    if prefix and not path.startswith(f"{prefix}/"):
        raise Refused(404, f"{path!r} does not lie below {prefix!r}")
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path[len(prefix) :]
