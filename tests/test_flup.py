"""flup as it is started: what it does wrong by itself, and must not do here."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import ROOT
from tests.servers import harness
from tests.test_workers import connected, listens, wait_for

_APPLICATION = """
    import json, os, re, sys
    from django.conf import settings

    settings.configure()

    def application(environ, start_response):
        try:
            length = len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        except OSError as error:
            print("lost:", type(error).__name__, file=environ["wsgi.errors"], flush=True)
            raise
        if environ.get("PATH_INFO") == "/lock":
            re.match("(a+)+b", "a" * 60)
        if environ.get("PATH_INFO") == "/big":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return (b"x" * 100000 for _ in range(100))
        seen = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
        start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [json.dumps({**seen, "length": length, "pid": os.getpid()}).encode()]

    from django_deploykit.handlers.flup import serve

    serve(application, protocol=PROTOCOL, address=ADDRESS, processes=1, seconds=SECONDS)
"""


class Started:
    """A dispatcher that runs, and a client of it that speaks the protocol itself."""

    def __init__(self, path: Path, errors: Path, process: subprocess.Popen[bytes]) -> None:
        self.path, self.errors, self.process = path, errors, process

    def connect(self) -> socket.socket:
        return connected(self.path)

    def fastcgi(self, parameters: dict[str, str], split: int = 65535) -> dict[str, object]:
        """The JSON that answers a request, whose parameters come in records of that length."""
        with self.connect() as connection:
            connection.sendall(begin() + params(parameters, split) + record(5, b""))
            return parsed(connection)


def record(kind: int, content: bytes) -> bytes:
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


def begin() -> bytes:
    return record(1, struct.pack("!HB5x", 1, 0))


def params(parameters: dict[str, str], split: int = 65535) -> bytes:
    pairs = b""
    for name, value in parameters.items():
        key, data = name.encode(), value.encode("latin-1")
        pairs += struct.pack("!LL", len(key) | 1 << 31, len(data) | 1 << 31) + key + data
    parts = [pairs[start : start + split] for start in range(0, len(pairs), split)]
    return b"".join(record(4, part) for part in [*parts, b""])


def parsed(connection: socket.socket) -> dict[str, object]:

    received = b"".join(iter(lambda: connection.recv(65536), b""))
    out = b""
    while received:
        _, kind, _, length, padding = struct.unpack("!BBHHBx", received[:8])
        out += received[8 : 8 + length] if kind == 6 else b""
        received = received[8 + length + padding :]
    head, _, body = out.partition(b"\r\n\r\n")
    assert head.count(b"Set-Cookie") == 2
    found: dict[str, object] = json.loads(body)
    return found


def _script(tmp_path: Path, protocol: str, address: str | None, seconds: int = 60) -> Path:
    script = tmp_path / "site.fcgi"
    values = f"PROTOCOL, ADDRESS, SECONDS = {protocol!r}, {address!r}, {seconds}\n"
    script.write_text(values + textwrap.dedent(_APPLICATION))
    return script


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


@pytest.fixture
def protocol() -> str:
    return "fastcgi"


@pytest.fixture
def seconds() -> int:
    return 60


@pytest.fixture
def started(tmp_path: Path, protocol: str, seconds: int) -> Iterator[Started]:
    """The dispatcher, listening on a path."""
    path, errors = tmp_path / "s", tmp_path / "errors"
    script = _script(tmp_path, protocol, str(path), seconds)
    with errors.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, str(script)], env=_environment(), stderr=stderr)
    try:
        wait_for(lambda: listens(path))
        yield Started(path, errors, process)
    finally:
        process.terminate()
        assert process.wait(30) == 0  # flup's own prefork server stays, whatever it is told.


def test_parameters_may_go_on_in_the_next_record(started: Started) -> None:
    """A large cookie does not fit into one record (specification, 3.3)."""
    cookie = "x" * 200_000
    assert started.fastcgi({"HTTP_COOKIE": cookie, "PATH_INFO": "/"})["HTTP_COOKIE"] == cookie
    small = started.fastcgi({"NAME": "value", "PATH_INFO": "/ü"}, split=3)
    assert (small["NAME"], small["PATH_INFO"]) == ("value", "/ü")


def test_the_path_is_the_fronts(started: Started) -> None:
    """flup would cut PATH_INFO out of REQUEST_URI, at the place of the decoded SCRIPT_NAME."""
    sent = {"SCRIPT_NAME": "/a b", "PATH_INFO": "", "REQUEST_URI": "/a%20b?q=%2F"}
    seen = started.fastcgi(sent)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/a b", "", "")


def test_a_request_is_complete(started: Started) -> None:
    """What WSGI requires is there, even if a front leaves it out, and nothing is made up."""
    seen = started.fastcgi({"HTTPS": "on"})
    assert (seen["REQUEST_METHOD"], seen["SERVER_PORT"]) == ("GET", "80")
    assert seen["wsgi.multiprocess"] is True
    assert seen["wsgi.multithread"] is False


def test_a_body_that_stops_is_an_error_of_input(started: Started) -> None:
    """The application gets the OSError that Django knows, and the process goes on."""
    before = started.fastcgi({})["pid"]
    with started.connect() as connection:
        connection.sendall(begin() + params({"CONTENT_LENGTH": "10"}) + record(5, b"abc"))
    wait_for(lambda: "lost: ConnectionResetError" in started.errors.read_text())
    assert started.fastcgi({})["pid"] == before


def test_a_front_that_goes_away_costs_no_process(started: Started) -> None:
    """Nobody takes the answer: the process goes on with the next request."""
    before = started.fastcgi({})["pid"]
    with started.connect() as connection:
        connection.sendall(begin() + params({"PATH_INFO": "/big"}) + record(5, b""))
        connection.recv(100)
    assert started.fastcgi({})["pid"] == before


@pytest.mark.parametrize("seconds", [1])
def test_a_request_that_keeps_pythons_lock_costs_its_process(started: Started) -> None:
    """An endless regular expression lets no other thread look at the clock; another process takes
    its place."""
    before = started.fastcgi({})["pid"]
    with started.connect() as connection:
        connection.sendall(begin() + params({"PATH_INFO": "/lock"}) + record(5, b""))
        with contextlib.suppress(ConnectionResetError):  # It has not read everything.
            assert connection.recv(100) == b""
    assert "in application" in started.errors.read_text()
    assert started.fastcgi({})["pid"] != before


# What a front has sent when it dies without a word, as its machine may.
SILENT = {
    "fastcgi, nothing": ("fastcgi", b""),
    "fastcgi, a beginning": ("fastcgi", begin()),
    "fastcgi, a part of a record": ("fastcgi", begin() + record(4, b"12345")[:-1]),
    "scgi, nothing": ("scgi", b""),
    "scgi, a part of its head": ("scgi", b"70:CONTENT_LENGTH"),
}


@pytest.mark.parametrize("seconds", [1])
@pytest.mark.parametrize(("protocol", "sent"), SILENT.values(), ids=SILENT.keys())
def test_a_front_that_falls_silent_is_given_up(started: Started, sent: bytes) -> None:
    """No longer than a request may take: the process answers others then."""
    with started.connect() as silent:
        silent.sendall(sent)
        assert silent.recv(100) == b""
    assert "took longer" not in started.errors.read_text()


def test_a_front_that_never_closes_is_given_up(started: Started) -> None:
    """It got its answer; nothing else is to come."""
    with started.connect() as silent:
        silent.sendall(begin() + params({}) + record(5, b""))
        before = parsed(silent)["pid"]
        assert started.fastcgi({})["pid"] == before


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi"])
def test_a_front_that_falls_silent_does_not_keep_it_from_ending(started: Started) -> None:
    """SIGTERM is heeded long before a request would have taken too long."""
    # Before, it ends by the signal itself.
    wait_for(lambda: harness.descendants(started.process.pid))
    with started.connect():
        time.sleep(0.2)  # Until the connection is taken.
        started.process.terminate()
        assert started.process.wait(30) == 0


@pytest.mark.parametrize("protocol", ["scgi"])
def test_scgi(started: Started) -> None:
    """The other protocol: a netstring of parameters, then the body."""

    sent = {"CONTENT_LENGTH": "3", "SCGI": "1", "SCRIPT_NAME": "/a b", "PATH_INFO": ""}
    sent["REQUEST_URI"] = "/a%20b?q"
    sent["REQUEST_METHOD"] = "POST"
    head = "".join(f"{name}\0{value}\0" for name, value in sent.items()).encode()
    with started.connect() as connection:
        connection.sendall(b"%d:%s,abc" % (len(head), head))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    seen = json.loads(received.partition(b"\r\n\r\n")[2])
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/a b", "")
    assert (seen["QUERY_STRING"], seen["length"]) == ("", 3)


def _started_by_a_front(tmp_path: Path, path: Path) -> subprocess.Popen[bytes]:
    script = _script(tmp_path, "fastcgi", None)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        return subprocess.Popen(
            [sys.executable, str(script)], env=_environment(), stdin=listener.fileno()
        )


def test_started_by_a_front_it_takes_the_socket_it_was_given(tmp_path: Path) -> None:
    """As mod_fcgid and shared hosts do: a listening socket is standard input, one process."""
    path, errors = tmp_path / "s", tmp_path / "errors"
    process = _started_by_a_front(tmp_path, path)
    try:
        seen = Started(path, errors, process).fastcgi({"PATH_INFO": "/"})
        assert seen["pid"] == process.pid
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_front_that_ends_it_is_turned_away_at_once(tmp_path: Path) -> None:
    """While it answers what it has begun: what was let in after that would be lost."""
    path = tmp_path / "s"
    process = _started_by_a_front(tmp_path, path)
    with connected(path) as begun:
        begun.sendall(begin() + params({"PATH_INFO": "/big"}) + record(5, b""))
        received = len(begun.recv(8))  # The rest is more than the socket holds.
        process.terminate()
        wait_for(lambda: not listens(path))
        received += sum(map(len, iter(lambda: begun.recv(65536), b"")))
    assert received > 100 * 100000
    assert process.wait(30) == 0


def test_started_by_hand_it_says_who_has_to(tmp_path: Path) -> None:
    """Without a socket, and told of none, it says so."""
    script = _script(tmp_path, "fastcgi", None)
    done = subprocess.run(
        [sys.executable, str(script)],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "started by a web server" in done.stderr
