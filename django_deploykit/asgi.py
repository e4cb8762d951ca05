"""Let any ASGI application, Django's or not, see what trusted proxies say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django_deploykit.proxy.asgi import Scope, refuse
from django_deploykit.proxy.configured import ConfiguredDoor
from django_deploykit.proxy.decision import Refused

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def wrap(application: Application) -> Application:
    """Decide on every request and websocket by DEPLOYKIT["PROXY"] before ``application`` sees it.

    The decision stands in the scope, where TrustedProxyMiddleware finds it. Raise
    ImproperlyConfigured for a policy that makes no sense.
    """
    door = ConfiguredDoor()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await application(scope, receive, send)
        try:
            scope = door.asgi(scope)
        except Refused as refused:
            return await refuse(refused, scope, send)
        return await application(scope, receive, send)

    return answer
