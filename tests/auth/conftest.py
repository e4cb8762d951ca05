"""A fresh memory for each test, a cheap hash that is counted, and what mod_wsgi hands to hooks."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User

from django_deploykit.auth import state
from django_deploykit.auth.authorizer import Authorizer
from django_deploykit.auth.conversation import Authority
from django_deploykit.auth.server import Server
from django_deploykit.auth.sockets import listening
from tests.people import backends

PASSWORD = "correct horse"
VERSION = (6, 1, 1)


class CountedHasher(MD5PasswordHasher):
    """Counts what it hashes, and waits for whoever wants to look at it meanwhile."""

    count = 0
    wait: Callable[[], Any] = staticmethod(lambda: None)

    def encode(self, password: str, salt: str) -> str:
        type(self).count += 1
        type(self).wait()
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def fresh(settings: Any) -> Iterator[None]:
    """Nothing is remembered from another test."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountedHasher"]
    CountedHasher.count, CountedHasher.wait = 0, staticmethod(lambda: None)
    backends.asked.clear()
    state.reset()
    yield
    state.reset()


@pytest.fixture
def auth(settings: Any) -> Callable[..., None]:
    """Sets keys of DEPLOYKIT["AUTH"]."""

    def configure(**auth: Any) -> None:
        settings.DEPLOYKIT = {"AUTH": auth}

    return configure


@pytest.fixture
def alice(db: None) -> User:
    """An active user, whose hash was made before the count begins."""
    return user("alice")


def user(name: str, **fields: Any) -> User:
    made = User.objects.create_user(name, password=PASSWORD, **fields)
    CountedHasher.count = 0
    return made


def hashes() -> int:
    """How many were computed since this was last asked."""
    count, CountedHasher.count = CountedHasher.count, 0
    return count


def environ(version: tuple[int, ...] | None = VERSION, **more: Any) -> dict[str, Any]:
    """What a hook of mod_wsgi sees of a request."""
    seen = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/repo/trunk",
        "SCRIPT_NAME": "/repo/trunk",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "192.0.2.1",
        "mod_ssl.is_https": lambda: 1,
        **more,
    }
    return {**seen, "mod_wsgi.version": version} if version else seen


def wire(text: str) -> str:
    """Text as mod_wsgi hands it over since 5.0.1: its bytes, read as Latin-1."""
    return text.encode().decode("latin-1")


@contextmanager
def serving(
    made: Authority, threads: int = 4, listener: socket.socket | None = None
) -> Iterator[Any]:
    """The server in a thread, at an address."""
    with Server(listener or listening(("127.0.0.1", 0)), made, threads) as server:
        loop = threading.Thread(target=server.serve_forever)
        loop.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            loop.join()


@pytest.fixture
def address(transactional_db: None) -> Iterator[Any]:
    """An authorizer for every active user."""
    with serving(Authorizer("active", 'The "realm"')) as found:
        yield found


@pytest.fixture
def zoe(transactional_db: None) -> User:
    return user("zoé")


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()
