"""Which URLs of the ASGI application take websockets.

Its module is imported for that, but only if the word stands in its text: importing runs whatever
else the module does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from django_deploykit.config import findings
from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.entry import find_entry
from django_deploykit.config.introspect.urls import plain_text

_URL = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?\Z")

# How Channels calls the list of routes in its documentation; an application of another make can
# have one too, beside it.
_PATTERNS = "websocket_urlpatterns"


def websockets(context: Context, asgi: str | None) -> tuple[str, ...]:
    """Paths below the prefix; one with a slash at its end stands for all that lies below it.

    SITE["WEBSOCKETS"] says it, or else the application's routes.
    """
    stated, setting = context.site.get("WEBSOCKETS"), context.key("WEBSOCKETS")
    if stated is None:
        return _found(context, asgi) if asgi else ()
    if not isinstance(stated, (list, tuple)):
        context.find_type(setting, stated, "a list of URL paths")
        return ()
    for url in stated:
        if not _fits(str(url)):
            context.find(findings.BAD_ROUTE, setting, f"{url!r} is not such a path.")
    return _widest(str(url) for url in stated)


def _found(context: Context, asgi: str) -> tuple[str, ...]:
    entry = find_entry(asgi)
    if entry is None or not entry.speaks_of_websockets:
        return ()
    try:
        urls = [*_application_urls(asgi)]
    except Exception as error:  # An import may raise anything.
        message = f"{asgi!r} cannot be imported to find its websockets ({type(error).__name__})."
        context.find(findings.NO_WEBSOCKETS, "ASGI_APPLICATION", message)
        return ()
    strange = [url for url in urls if not _fits(url)]
    if strange or not urls:
        what = f"the route {strange[0]!r} cannot be used" if strange else "none of them is found"
        message = f"{asgi!r} takes websockets, but {what}."
        context.find(findings.NO_WEBSOCKETS, "ASGI_APPLICATION", message)
    return _widest(url for url in urls if _fits(url))


def _application_urls(asgi: str) -> Iterator[str]:
    path, _, name = asgi.rpartition(".")
    module = import_module(path)
    routes = _channels_routes(getattr(module, name))
    return _urls(routes or getattr(module, _PATTERNS, ()), "/")


def _channels_routes(application: Any) -> Iterable[Any]:
    """The routes of a ProtocolTypeRouter, below whatever is wrapped around its URLRouter."""
    mapping = getattr(application, "application_mapping", {})
    found = mapping.get("websocket")
    while found is not None and not hasattr(found, "routes"):
        found = getattr(found, "inner", None) or getattr(found, "application", None)
    routes: Iterable[Any] = getattr(found, "routes", ())
    return routes


def _urls(routes: Iterable[Any], before: str) -> Iterator[str]:
    for route in routes:
        for plain in plain_text(route.pattern):
            if hasattr(route.callback, "routes"):
                yield from _urls(route.callback.routes, before + plain)
            elif plain == str(route.pattern).strip("^$"):
                yield before + plain
            else:  # What follows is a variable: everything below the last whole segment.
                yield (before + plain).rpartition("/")[0] + "/"


def _fits(url: str) -> bool:
    return url.startswith("/") and bool(_URL.match(url))


def _widest(urls: Iterable[str]) -> tuple[str, ...]:
    """The URLs in order, without those that another one stands for."""
    found = sorted(set(urls))
    below = [url for url in found if url.endswith("/")]
    return tuple(
        url for url in found if not any(url != one and url.startswith(one) for one in below)
    )
