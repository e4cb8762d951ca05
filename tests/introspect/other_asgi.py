"""An ASGI module that takes websockets, and does not say where."""

from __future__ import annotations


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
