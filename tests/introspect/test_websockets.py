"""Which URLs of the ASGI application take websockets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from django_deploykit.config.introspect import Introspection
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages

# What Channels makes of routes, as far as it is looked at: a router of protocols, a check of the
# origin, middleware, and a router of URLs.
CHANNELS = """
    from django.urls import path, re_path

    class URLRouter:
        def __init__(self, routes):
            self.routes = routes

        def __call__(self):
            pass

    class Middleware:
        def __init__(self, inner):
            self.inner = inner

    class OriginValidator:
        def __init__(self, application):
            self.application = application

    class ProtocolTypeRouter:
        def __init__(self, mapping):
            self.application_mapping = mapping

    def view():
        pass

    application = ProtocolTypeRouter({{
        "http": view, "websocket": OriginValidator(Middleware(URLRouter([{routes}])))
    }})
"""
PLAIN = """
    from django.urls import path

    async def application(scope, receive, send):
        if scope["type"] == "websocket":
            pass

    async def echo(scope, receive, send):
        pass

    websocket_urlpatterns = [path("ws/echo/", echo)]
"""

_numbers = count()
Ask = Callable[..., Introspection]


@pytest.fixture
def ask(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Read a project whose ASGI module has this text."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"asgi_of_a_test_{next(_numbers)}"

    def ask(text: str, **more: object) -> Introspection:
        (tmp_path / f"{name}.py").write_text(dedent(text))
        return read(ASGI_APPLICATION=f"{name}.application", **more)

    yield ask
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ('path("ws/echo/", view)', ("/ws/echo/",)),
        ('path("ws", view)', ("/ws",)),
        ('path("", view)', ("/",)),
        ('path("ws/<str:room>/", view)', ("/ws/",)),
        ('path("ws/room-<int:number>", view)', ("/ws/",)),
        ('path("<path:any>", view)', ("/",)),
        (r're_path(r"^ws/live/$", view)', ("/ws/live/",)),
        (r're_path(r"ws/chat/(?P<room>\w+)/$", view)', ("/ws/chat/",)),
        (r're_path(r"^ws/v\d+/$", view)', ("/ws/",)),
        (r're_path(r"^ws/chat/?$", view)', ("/ws/",)),
        (r're_path(r"^ws/a\.?/$", view)', ("/ws/",)),
        (r're_path(r"^ws/a|chat/$", view)', ("/",)),
        ('path("b/", view), path("a", view), path("a", view)', ("/a", "/b/")),
        ('path("ws/", view), path("ws/echo/", view)', ("/ws/",)),
        (
            'path("in/", URLRouter([path("a", view), path("b/<int:n>/", view)]))',
            ("/in/a", "/in/b/"),
        ),
    ],
)
def test_the_routes_of_channels(routes: str, expected: tuple[str, ...], ask: Ask) -> None:
    """Found below every wrapper; what begins with a variable counts from its last whole part."""
    found = ask(CHANNELS.format(routes=routes))
    assert facts(found).websockets == expected
    assert ids(found) == set()


def test_the_routes_of_a_plain_application(ask: Ask) -> None:
    """Any application may name them as Channels does, beside itself."""
    assert facts(ask(PLAIN)).websockets == ("/ws/echo/",)


def test_a_module_without_the_word_is_not_imported(ask: Ask) -> None:
    """Django's own application takes none, and its module is not run to find that out."""
    found = ask("raise RuntimeError\napplication = None\n")
    assert facts(found).websockets == ()
    assert ids(found) == set()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("application = {'websocket': None}\n", "but none of them is found"),
        ("application = 'websocket'\n1 / 0\n", "cannot be imported to find its websockets"),
        (CHANNELS.format(routes='path("größe/", view)'), "the route '/größe/' cannot be used"),
        (CHANNELS.format(routes=""), "but none of them is found"),
    ],
)
def test_websockets_that_are_not_found(text: str, message: str, ask: Ask) -> None:
    """What cannot be found is said, and none gets through."""
    found = ask(text)
    assert ids(found) == {"W073"}
    assert message in messages(found)
    assert facts(found).websockets == ()


def test_stated_websockets_need_no_search(ask: Ask) -> None:
    """SITE["WEBSOCKETS"] is taken as it is, and the module is not run."""
    stated = {"SITE": {"WEBSOCKETS": ["/graphql", "/ws/a/", "/ws/"]}}
    found = ask("raise RuntimeError('websocket')\napplication = None\n", DEPLOYKIT=stated)
    assert facts(found).websockets == ("/graphql", "/ws/")
    assert ids(found) == set()


def test_none_can_be_stated(ask: Ask) -> None:
    """An empty list keeps every websocket out."""
    assert facts(ask(PLAIN, DEPLOYKIT={"SITE": {"WEBSOCKETS": []}})).websockets == ()


@pytest.mark.parametrize("url", ["ws/", "", "/a b/", "/a/../b/", "/ws//", "/<room>/", 'a"', "/a\n"])
def test_what_is_no_path_is_refused(url: str, ask: Ask) -> None:
    """A URL that a server could read otherwise is an error."""
    found = ask("application = None\n", DEPLOYKIT={"SITE": {"WEBSOCKETS": [url]}})
    assert ids(found) == {"E017"}
