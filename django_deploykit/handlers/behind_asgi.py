"""The twin of :mod:`.behind` for ASGI: what an application believes of its front server.

Behind it lies plain HTTP, the only protocol of ASGI servers. Websockets begin as a request of
HTTP, and are treated as one. Specification: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import IO, Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest

from django_deploykit import contract
from django_deploykit.handlers.behind import PORTS, port_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_FORBIDDEN = frozenset(name.lower().encode() for name in contract.CLIENT_FORBIDDEN_HEADERS)
_DATA = contract.data_header("").lower().encode()
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}


def behind_front(
    application: Application, *, front: str, prefix: str = "", data: Iterable[str] = ()
) -> Application:
    """Wrap ``application`` to stand behind the server ``front`` that speaks HTTP to it.

    The client's address, the scheme and the ``data`` (names of SITE["ENVIRON"]) are taken from
    the headers of the contract, for requests and websockets alike. ``prefix`` becomes the
    root_path; a path outside of it is answered with 404. Every other header that only a proxy
    may set is dropped, and every one with an underscore in its name. Whatever is neither (lifespan)
    passes untouched.
    """
    names = tuple(data)
    marks = front in contract.STREAM_FRONTS
    if names:
        _teach_django()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await application(scope, receive, send)
        elif prefix and not scope["path"].startswith(f"{prefix}/"):
            await _refuse(scope, receive, send)
        else:
            told = _marked(send) if marks else send
            await application(_believed(scope, prefix, names), receive, told)

    return answer


class _WithData(ASGIRequest):
    """Django's request, with SITE["ENVIRON"] in META, where Django itself puts only headers."""

    def __init__(self, scope: dict[str, Any], body_file: IO[bytes]) -> None:
        super().__init__(scope, body_file)
        self.META.update(scope.get(contract.SCOPE_DATA, {}))


def _teach_django() -> None:
    """Let Django's handler, wherever in the application it stands, make such requests."""
    usual = ASGIHandler.request_class
    if not issubclass(usual, _WithData):
        ASGIHandler.request_class = type(usual.__name__, (_WithData, usual), {})


def _believed(scope: Scope, prefix: str, names: tuple[str, ...]) -> Scope:
    """A copy of the scope that holds what the front says; without that, nothing is known."""
    came: Headers = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
    address, said = _said(came, contract.CLIENT_ADDRESS_HEADER), _said(came, contract.SCHEME_HEADER)
    scheme, host = said if said in PORTS else "http", _said(came, "Host")
    port = port_of(host, scheme)
    return {
        **scope,
        "client": (address, 0) if address else None,
        "server": (host.removesuffix(f":{port}"), int(port)),
        "scheme": _WEBSOCKET_SCHEMES[scheme] if scope["type"] == "websocket" else scheme,
        # The path of a scope has the prefix in it.
        "root_path": prefix,
        "headers": [(name, value) for name, value in came if _is_clients(name)],
        contract.SCOPE_DATA: {name: _said(came, contract.data_header(name)) for name in names},
    }


def _said(headers: Headers, name: str) -> str:
    """The value of the header, or '' unless it stands there exactly once."""
    wanted = name.lower().encode()
    values = [value for found, value in headers if found == wanted]
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _is_clients(name: bytes) -> bool:
    """Tell whether a client may say this. With an underscore, it would pass for another header:
    Django drops such names only since 5.2.13 (CVE-2026-3902), and other applications do not."""
    return b"_" not in name and name not in _FORBIDDEN and not name.startswith(_DATA)


def _marked(send: Send) -> Send:
    """Mark a response of unknown length as a stream, which a front passes on as it is written."""
    stream = contract.STREAM_HEADER.lower().encode()

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ())]
            if not {bytes(name).lower() for name, _ in headers} & {b"content-length", stream}:
                message = {**message, "headers": [*headers, (stream, b"no")]}
        await send(message)

    return tell


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404; a websocket that is closed before it was accepted is answered by the server."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": 404, "headers": [kind]})
    await send({"type": "http.response.body", "body": b"Not Found\n"})
