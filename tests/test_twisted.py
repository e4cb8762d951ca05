"""Twisted as it is started: what its WSGI container does wrong by itself, and must not do here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.projects import ROOT
from tests.test_workers import connected, listens, wait_for

_APPLICATION = """
    import json, os, resource, sys, time
    from django.conf import settings

    settings.configure()

    MEBIBYTE = 1024 * 1024

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/endless":
            start_response("200 OK", [])
            return endless()
        if path == "/fails":
            raise ValueError("as it should")
        if path == "/left":
            print("left", file=environ["wsgi.errors"], flush=True)
            time.sleep(0.5)  # Meanwhile, the client leaves.
            print("worked on", file=environ["wsgi.errors"], flush=True)
            start_response("200 OK", [])
            return [b"for nobody"]
        if path == "/full":
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
            print("full", file=environ["wsgi.errors"], flush=True)
            time.sleep(4)  # The test has to connect meanwhile, on a busy machine too.
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        if path == "/slow":
            print("slow began", file=environ["wsgi.errors"], flush=True)
            time.sleep(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        seen = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
        start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [json.dumps({**seen, "body": body[:20].decode(), "kibibytes": before}).encode()]

    def endless():
        try:
            for number in range(1, 65):
                print("wrote", number, file=sys.stderr, flush=True)
                yield b"x" * MEBIBYTE
        finally:
            print("closed", file=sys.stderr, flush=True)

    from django_deploykit.handlers.twisted import serve

    serve(application, address=sys.argv[1], processes=1, threads=2, seconds=60)
"""


class Started:
    """A start script that runs, and a client of its socket."""

    def __init__(self, path: Path, errors: Path, process: subprocess.Popen[bytes]) -> None:
        self.path, self.errors, self.process = path, errors, process

    @property
    def said(self) -> str:
        return self.errors.read_text()

    def ask(self, request: bytes) -> tuple[HTTPResponse, bytes]:
        with connected(self.path) as connection:
            connection.sendall(request)
            response = HTTPResponse(connection)
            response.begin()
            return response, response.read()


def request(path: str, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    path, errors, script = tmp_path / "s", tmp_path / "errors", tmp_path / "site.py"
    script.write_text(textwrap.dedent(_APPLICATION))
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(script), str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=stderr,
        )
    try:
        wait_for(lambda: listens(path))
        yield Started(path, errors, process)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_unix_socket_serves(started: Started) -> None:
    """Its own container answers 500, for the peer has no address; and no version is named."""
    response, body = started.ask(request("/a%20b/%C3%BC?q=%2F"))
    seen = json.loads(body)
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/a b/ü"
    assert (seen["QUERY_STRING"], seen["wsgi.multiprocess"]) == ("q=%2F", True)
    assert response.headers["Server"] is None
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_a_body_without_a_length_has_one(started: Started) -> None:
    """Django would take it for an empty one."""
    chunked = request("/", b"", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"
    seen = json.loads(started.ask(chunked)[1])
    assert (seen["CONTENT_LENGTH"], seen["body"]) == ("5", "hello")


def test_a_form_is_not_read_before_the_application(started: Started) -> None:
    """Its own container holds a whole upload in memory, several times."""
    kind = b"Content-Type: multipart/form-data; boundary=x"
    small = json.loads(started.ask(request("/", b"--x\r\n\r\n", kind))[1])
    large = json.loads(started.ask(request("/", b"x" * 64 * 1024 * 1024, kind))[1])
    assert large["kibibytes"] - small["kibibytes"] < 32 * 1024


def test_a_slow_client_holds_no_answer_in_memory(started: Started) -> None:
    """The application waits with its next part; when the client goes, it is closed."""
    with connected(started.path) as connection:
        connection.sendall(request("/endless"))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert started.ask(request("/"))[0].status == 200  # Others are answered meanwhile.
        assert "wrote 16\n" not in started.said
    wait_for(lambda: "closed" in started.said)
    assert "wrote 64\n" not in started.said


def test_a_lost_connection_is_no_error(started: Started) -> None:
    """A client that leaves while the application works is its own affair: the log says nothing."""
    with connected(started.path) as connection:
        connection.sendall(request("/left"))
        wait_for(lambda: "left\n" in started.said)
    wait_for(lambda: "worked on" in started.said)
    assert started.ask(request("/"))[0].status == 200  # By now the reactor has heard of it.
    assert "Traceback" not in started.said


def test_an_error_is_one_answer(started: Started) -> None:
    """500 and a traceback in the log, and the next request is answered."""
    assert started.ask(request("/fails"))[0].status == 500
    assert "ValueError" in started.said
    assert started.ask(request("/"))[0].status == 200


def test_running_requests_end_before_it(started: Started) -> None:
    """SIGTERM cuts no answer off."""
    with connected(started.path) as connection:
        connection.sendall(request("/slow"))
        wait_for(lambda: "slow began" in started.said)
        started.process.terminate()
        response = HTTPResponse(connection)
        response.begin()
        assert response.status == 200
        assert b"PATH_INFO" in response.read()
    assert started.process.wait(30) == 0
    assert started.path.exists()  # Another process might still listen there.


def test_a_request_whose_client_left_ends_before_it(started: Started) -> None:
    """SIGTERM does not stop the reactor while a thread still waits to write through it."""
    with connected(started.path) as connection:
        connection.sendall(request("/left"))
        wait_for(lambda: "left\n" in started.said)
    assert started.ask(request("/"))[0].status == 200  # By now the reactor has heard of it.
    started.process.terminate()
    assert started.process.wait(10) == 0
    assert "worked on" in started.said
    assert "Traceback" not in started.said


def test_without_a_free_descriptor_it_waits(started: Started) -> None:
    """The log says so, but not without end, and the connection is let in afterwards."""
    with connected(started.path) as connection:
        connection.sendall(request("/full"))
        wait_for(lambda: "full\n" in started.said)
        assert started.ask(request("/"))[0].status == 200
    assert 1 <= started.said.count("A connection was not let in: [Errno 24]") <= 10


def test_a_request_on_its_way_is_answered(started: Started) -> None:
    """SIGTERM closes no connection whose request has not arrived yet, or not with all its body."""
    asked = request("/", b"x" * 10)
    with connected(started.path) as silent, connected(started.path) as half:
        half.sendall(asked[:-1])
        assert started.ask(request("/"))[0].status == 200  # By now both were let in.
        started.process.terminate()
        for connection, rest in (half, asked[-1:]), (silent, asked):
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(30)
            connection.sendall(rest)
            response = HTTPResponse(connection)
            response.begin()
            assert (response.status, json.loads(response.read())["body"]) == (200, "x" * 10)
