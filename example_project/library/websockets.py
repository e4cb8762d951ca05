"""A websocket that shows what a web server made of its handshake, and then echoes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Message = dict[str, Any]
CREDENTIALS = {"authorization", "cookie"}


async def echo(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Tell how the application saw the handshake, then send back every text that comes."""
    await receive()
    if not _is_ours(scope):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(_seen(scope))})
    while (message := await receive())["type"] == "websocket.receive":
        if text := message.get("text"):
            await send({"type": "websocket.send", "text": text})


def _is_ours(scope: dict[str, Any]) -> bool:
    """Tell whether a page of this site opened it, or no page: browsers always say which one.

    Nothing else keeps a stranger's page from using a visitor's cookies here.
    """
    origin = _headers(scope).get("origin", "")
    host, _ = split_domain_port(urlsplit(origin).netloc)
    return not origin or validate_host(host, settings.ALLOWED_HOSTS)


def _seen(scope: dict[str, Any]) -> dict[str, Any]:
    shown = ("type", "path", "root_path", "scheme", "client", "server")
    headers = {k: v for k, v in _headers(scope).items() if k not in CREDENTIALS}
    return {
        **{name: scope.get(name) for name in shown},
        "query_string": scope["query_string"].decode("latin-1"),
        "headers": headers,
        "data": scope["deploykit.decision"].data,
    }


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
