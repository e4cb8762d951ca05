"""The ASGI entry of the example project: Django for requests, and one websocket."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application
from django.urls import Resolver404, path
from django.urls.resolvers import RegexPattern, URLResolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")

django = get_asgi_application()

from library.websockets import echo  # noqa: E402 - settings come before the project's own code

# django-deploykit finds them here, under the name that Channels gives them too.
websocket_urlpatterns = [path("ws/echo/", echo)]
_routes = URLResolver(RegexPattern(r"^/"), websocket_urlpatterns)


async def application(scope, receive, send):
    """Hand websockets to their consumers, and everything else to Django."""
    if scope["type"] != "websocket":
        await django(scope, receive, send)
        return
    try:
        match = _routes.resolve(scope["path"].removeprefix(scope["root_path"]))
    except Resolver404:
        await receive()
        await send({"type": "websocket.close"})
        return
    await match.func(scope, receive, send, **match.kwargs)
