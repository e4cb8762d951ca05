"""Fixtures for what ``sendfile`` answers, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from django_deploykit import contract
from django_deploykit.sendfile import backends
from tests.sendfile.site import FIRST

CONTENT = b"".join(b"%06d\n" % number for number in range(3000))


@pytest.fixture
def private(tmp_path: Path, settings: Any) -> Path:
    """A protected directory with one file, and a secret beside it."""
    directory = tmp_path / "private"
    directory.mkdir()
    (directory / "report.txt").write_bytes(CONTENT)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    settings.ROOT_URLCONF = "tests.sendfile.site"
    settings.MIDDLEWARE = [FIRST]
    settings.DEPLOYKIT = {"SITE": {"PROTECTED": {"/private/": str(directory)}}}
    return directory


@pytest.fixture
def a_while_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had lain there for a while."""
    monkeypatch.setattr(backends, "time", SimpleNamespace(time=lambda: time.time() + 60))


@pytest.fixture(params=["", "nginx/http", "lighttpd/http", "apache/scgi"])
def stack(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, a_while_ago: None
) -> str:
    """Every mechanism that a stack brings with it, and none."""
    monkeypatch.setenv(contract.STACK_KEY, request.param)
    return str(request.param)


@pytest.fixture
def client() -> Iterator[Client]:
    """A client that closes what it was answered, as a server does."""
    found = KeepingClient(raise_request_exception=False)
    yield found
    for answer in found.answers:
        answer.close()


class KeepingClient(Client):
    """Remembers its answers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answers: list[Any] = []

    def request(self, **request: Any) -> Any:
        self.handler.load_middleware()  # A test may have changed it.
        self.answers.append(super().request(**request))
        return self.answers[-1]
