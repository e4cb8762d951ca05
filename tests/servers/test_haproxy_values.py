"""Hostile values in HAProxy's configuration, read back from the running server.

A value comes back byte for byte, or it was refused.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_deploykit.config.servers.haproxy import installed
from django_deploykit.config.servers.haproxy.dialect import dialect
from django_deploykit.config.syntax import haproxy
from django_deploykit.config.syntax.nodes import Argument, Format, Node, Raw, directive
from django_deploykit.config.syntax.printer import Refused
from tests.servers import harness
from tests.servers.harness import Server
from tests.syntax import hostile

WHY = "for this test"


def is_spoken(value: str) -> bool:
    """Tell whether the grammar has a spelling for a value; an empty one has no use here."""
    with contextlib.suppress(Refused):
        return bool(value and haproxy.argument(Format(value), "http-request"))
    return False


VALUES = hostile.some(is_spoken, 400)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """HAProxy, which answers each path with a value: as a word, and where ``%`` is live."""
    harness.require("haproxy", installed.binary())
    port = harness.free_port()
    nodes: list[Node] = [
        directive("mode", "http", why=WHY),
        directive("timeout", Raw("client 30s"), why=WHY),
        directive("bind", Raw(f"127.0.0.1:{port}"), why=WHY),
    ]
    for number, value in enumerate(VALUES):
        nodes += [_answer(f"/word/{number}", "string", value)]
        nodes += [_answer(f"/format/{number}", "lf-string", Format(value))]
    lines = haproxy.section_lines(dialect, [], [(directive("frontend", "values", why=WHY), nodes)])
    with harness.public_directory() as directory:
        path = directory / "haproxy.cfg"
        path.write_text("".join(f"{line.text}\n" for line in lines), encoding="utf-8")
        process = subprocess.Popen([str(installed.binary()), "-db", "-f", str(path)], text=True)
        try:
            running = Server(port, "", process, [])
            _wait(running)
            yield running
        finally:
            harness.stop(process)


def _answer(path: str, kind: str, value: Argument) -> Node:
    words = Raw(f"return status 200 content-type text/plain {kind}")
    return directive("http-request", words, value, Raw(f"if {{ path {path} }}"), why=WHY)


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return
        time.sleep(0.02)
    raise AssertionError("HAProxy did not start")


@pytest.mark.parametrize("kind", ["word", "format"])
def test_a_value_comes_back_as_it_was(server: Server, kind: str) -> None:
    """Blanks, quotes, backslashes, variables, comments and formats are nothing but text."""
    found = [
        server.request("GET", f"/{kind}/{number}").body.decode() for number in range(len(VALUES))
    ]
    assert [pair for pair in zip(found, VALUES, strict=True) if pair[0] != pair[1]] == []


def test_what_cannot_be_said_is_refused() -> None:
    """A control character, and text that is no UTF-8."""
    for value in ("a\nb", "a\0", "\x7f", "\ud800", "a" * 5000):
        assert not is_spoken(value)
    assert Path(str(installed.binary())).name == "haproxy"
