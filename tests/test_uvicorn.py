"""uvicorn as it is started: what it does wrong by itself when it ends, and must not do here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from socket import socket

import pytest

from tests.projects import ROOT
from tests.test_workers import connected, listens, wait_for

_PROGRAM = """
import sys
import uvicorn

async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

uvicorn.run(application, uds=sys.argv[1], http="django_deploykit.handlers.uvicorn:Protocol")
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(tmp_path / "s")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=errors,
            stderr=errors,
        )
    try:
        wait_for(lambda: listens(tmp_path / "s"))
        yield tmp_path / "s", process
    finally:
        process.terminate()
        process.wait(30)


def _answer(connection: socket, path: bytes) -> bytes:
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
    response = HTTPResponse(connection)
    response.begin()
    return response.read()


def test_a_request_on_its_way_is_answered(
    started: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    """SIGTERM closes a connection that idles, and none whose request has not arrived yet."""
    path, process = started
    with connected(path) as silent, connected(path) as idle:
        assert _answer(idle, b"/first") == b"/first"  # By now both were let in.
        process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        assert _answer(silent, b"/late") == b"/late"
        assert silent.recv(1) == b""
    wait_for(lambda: process.poll() is not None)


def test_a_silent_connection_does_not_keep_it(
    started: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    """It ends some seconds later, without a request."""
    path, process = started
    with connected(path) as silent, connected(path) as other:
        assert _answer(other, b"/") == b"/"
        process.send_signal(signal.SIGTERM)
        assert silent.recv(1) == b""
    wait_for(lambda: process.poll() is not None)
