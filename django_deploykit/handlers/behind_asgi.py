"""The twin of :mod:`.behind` for ASGI: what an application believes of its front server.

Behind it lies plain HTTP, the only protocol of ASGI servers. Websockets begin as a request of
HTTP, and are treated as one. Specification: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import IO, Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest

from django_deploykit import contract, trust
from django_deploykit.proxy.asgi import AsgiDoor, refuse
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def behind_front(
    application: Application,
    *,
    front: str,
    prefix: str = "",
    data: Iterable[str] = (),
    limit: int | None = None,
) -> Application:
    """Wrap ``application`` to stand behind the server ``front`` that speaks HTTP to it.

    The client's address, the scheme and the ``data`` (names of SITE["ENVIRON"]) are taken from
    the headers of the contract, for requests and websockets alike; one without them is refused.
    ``prefix`` becomes the root_path; a path outside of it is answered with 404. Every other header
    that only a proxy may set is dropped, and every one with an underscore in its name. A body of
    more than ``limit`` bytes, by its length, is answered with 413. Whatever is neither (lifespan)
    passes untouched.
    """
    door = AsgiDoor(Judge(trust.emitted("http", tuple(data))))
    marks_streams = front in contract.STREAM_FRONTS
    if data:
        _teach_django()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await application(scope, receive, send)
            return
        try:
            _check_length(scope, limit)
            entered = door.enter(_mounted(scope, prefix))
        except Refused as refused:
            await refuse(refused, scope, send)
        else:
            told = _marked(send) if marks_streams else send
            await application(dict(entered), receive, told)

    return answer


class _WithData(ASGIRequest):
    """Django's request, with SITE["ENVIRON"] in META, where Django itself puts only headers."""

    def __init__(self, scope: dict[str, Any], body_file: IO[bytes]) -> None:
        super().__init__(scope, body_file)
        decision = scope.get(contract.DECISION_KEY)
        if isinstance(decision, Decision):
            self.META.update(decision.data)


def _teach_django() -> None:
    """Let Django's handler, wherever in the application it stands, make such requests."""
    usual = ASGIHandler.request_class
    if not issubclass(usual, _WithData):
        ASGIHandler.request_class = type(usual.__name__, (_WithData, usual), {})


def _check_length(scope: Scope, limit: int | None) -> None:
    """Raise Refused (413) for a body that a front has stored and measured, and never looked at
    (mod_proxy, which knows no LimitRequestBody)."""
    said = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    length = max((int(value) for value in said if value.isdigit()), default=0)
    if limit is not None and length > limit:
        raise Refused(413, f"a body of {length} bytes is more than {limit}")


def _mounted(scope: Scope, prefix: str) -> Scope:
    """The scope below the prefix, without what would pass for another header: Django drops names
    with an underscore only since 5.2.13 (CVE-2026-3902), and other applications do not.

    Raise Refused (404) for another path, and for a bare prefix.
    """
    if prefix and not scope["path"].startswith(f"{prefix}/"):
        raise Refused(404, f"{scope['path']!r} does not lie below {prefix!r}")
    headers = [header for header in scope["headers"] if b"_" not in header[0]]
    return {**scope, "root_path": prefix, "headers": headers}


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
