"""A Django project behind proxies, asked as servers ask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

from tests import settings as base
from tests.proxy.asking import EVERY_X, PROXY, environ, scope

MIDDLEWARE = "django_deploykit.middleware.TrustedProxyMiddleware"
FOR_PREFIX = [*EVERY_X, "X-Forwarded-Prefix"]


class Answer:
    """Status, headers and body of an answer, read to its end."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def __getitem__(self, name: str) -> str:
        (value,) = (value for key, value in self.headers if key.lower() == name.lower())
        return value

    @property
    def cookies(self) -> dict[str, str]:
        """The path of each cookie that is set or deleted."""
        lines = [value for key, value in self.headers if key.lower() == "set-cookie"]
        return {
            line.partition("=")[0].strip(): line.partition("Path=")[2].partition(";")[0]
            for line in lines
        }


class Site:
    """The project of tests.proxy.urls with one PROXY section."""

    def __init__(self, **section: Any) -> None:
        self.section = {"TRUSTED": [PROXY], "HEADERS": FOR_PREFIX, **section}

    def settings(self, **more: Any) -> Any:
        chosen = {
            "DEPLOYKIT": {"PROXY": self.section},
            "ROOT_URLCONF": "tests.proxy.urls",
            "ALLOWED_HOSTS": ["*"],
            "STATIC_URL": "static/",
            "MEDIA_URL": "media/",
            "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
            "MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage",
            "MIDDLEWARE": [
                MIDDLEWARE,
                *base.MIDDLEWARE,
                "django.middleware.csrf.CsrfViewMiddleware",
            ],
        }
        return override_settings(**{**chosen, **more})

    def get(self, path: str, prefix: str | None = None, **keys: Any) -> Answer:
        """Ask over WSGI, as a server does: the body is read after the handler has returned."""
        handler = keys.pop("application", None) or WSGIHandler()
        if prefix is not None:
            keys["HTTP_X_FORWARDED_PREFIX"] = prefix
        said: list[Any] = []
        made = environ(
            path=path, **{"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}, **keys
        )
        response = handler(made, lambda *args: said.extend(args))
        body = b"".join(response)
        if close := getattr(response, "close", None):
            close()
        return Answer(int(said[0][:3]), said[1], body)

    async def aget(self, path: str, prefix: str | None = None, **keys: Any) -> Answer:
        """Ask over ASGI."""
        handler = keys.pop("application", None) or ASGIHandler()
        headers = keys.pop("headers", [])
        if prefix is not None:
            headers = [*headers, ("X-Forwarded-Prefix", prefix)]
        talk = ApplicationCommunicator(handler, scope(*headers, path=path, **keys))
        await talk.send_input({"type": "http.request", "body": b""})
        start = await talk.receive_output(timeout=5)
        body = b""
        more = True
        while more:
            part = await talk.receive_output(timeout=5)
            body += part.get("body", b"")
            more = part.get("more_body", False)
        await talk.wait(timeout=5)
        headers = [(key.decode(), value.decode()) for key, value in start["headers"]]
        return Answer(start["status"], headers, body)


@pytest.fixture
def site() -> Iterator[Site]:
    """A site whose prefix the proxy names."""
    one = Site()
    with one.settings():
        yield one
