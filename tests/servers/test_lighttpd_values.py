"""Hostile values in every kind of argument that the lighttpd renderer uses, read back live.

A value comes back byte for byte, or it was refused with the name of its setting.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from django_deploykit.config.access import group_name
from django_deploykit.config.servers.lighttpd import installed
from django_deploykit.config.servers.lighttpd.dialect import (
    HOST,
    SOCKET,
    URL,
    array,
    dialect,
    pair,
    values,
    when,
)
from django_deploykit.config.servers.lighttpd.gateway import spellings
from django_deploykit.config.syntax.lighttpd import PAIR, regex
from django_deploykit.config.syntax.nodes import Node, Substitution, block, directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.servers import harness
from tests.servers.harness import Server
from tests.servers.named_sockets import listening
from tests.syntax import hostile

WHY = "for this test"
UNSPEAKABLE = r"[\x00-\x1f\x7f\ud800-\udfff]|\\\Z"
MODULES = (
    "mod_alias",
    "mod_redirect",
    "mod_setenv",
    "mod_openssl",
    "mod_proxy",
    "mod_scgi",
    "mod_accesslog",
    "mod_staticfile",
)
COUNT = 150
_START_SECONDS = 30


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of this test's own that the web server's user can enter."""
    with harness.public_directory() as directory:
        yield directory


@contextlib.contextmanager
def lighttpd(directory: Path, nodes: Sequence[Node]) -> Iterator[Server]:
    """Run lighttpd with ``nodes`` until the block ends."""
    harness.require_lighttpd()
    port = harness.free_port()
    text = "".join(f"{line.text}\n" for line in print_lines([*_basics(port), *nodes], dialect))
    (directory / "lighttpd.conf").write_text(text, encoding="utf-8")
    command = [str(installed.binary()), "-D", "-f", str(directory / "lighttpd.conf")]
    with (directory / "output.log").open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, text=True)
        try:
            server = Server(port, "", process, [])
            _wait(server, directory / "output.log")
            yield server
        finally:
            harness.stop(process)


def _basics(port: int) -> Iterator[Node]:
    yield values("server.modules", MODULES, WHY)
    yield directive("server.document-root", "/nonexistent", why=WHY)
    yield directive("server.bind", "127.0.0.1", why=WHY)
    yield directive("server.port", port, why=WHY)
    if user := harness.server_user():
        yield directive("server.username", user, why=WHY)
        yield directive("server.groupname", group_name(user), why=WHY)


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return
        time.sleep(0.02)
    raise AssertionError(f"lighttpd did not start:\n{log.read_text(errors='replace')[-4000:]}")


def attempt(
    found: Sequence[str], spell: Callable[[int, str, str], Node]
) -> tuple[dict[int, str], list[Node]]:
    """Write each value; it is refused, naming its setting, if and only if it has to be."""
    written: dict[int, str] = {}
    nodes: list[Node] = []
    for number, value in enumerate(found):
        node = spell(number, value, f"SETTING_{number}")
        if re.search(UNSPEAKABLE, value):
            with pytest.raises(UnrepresentableValue) as refusal:
                list(print_lines([node], dialect))
            assert refusal.value.setting == f"SETTING_{number}"
        else:
            written[number] = value
            nodes.append(node)
    return written, nodes


def speakable(value: str) -> bool:
    return len(value) < 1000 and value == value.strip()


def file_name(value: str) -> bool:
    return hostile.is_file_name(value) and not re.search(UNSPEAKABLE, value)


def mark(number: int, value: str, setting: str) -> Node:
    """A header with the value for one URL."""
    entry = pair("X-Value", value, why=WHY, setting=setting)
    header = array("setenv.set-response-header", [entry], WHY)
    return when(URL, f"/v{number}", [header], WHY, test="==")


def test_strings(directory: Path) -> None:
    """Every string that is not refused is read as what it says."""
    written, nodes = attempt(hostile.some(speakable, COUNT), mark)
    assert len(written) > COUNT / 2
    with lighttpd(directory, nodes) as server:
        for number, value in written.items():
            if value:
                seen = server.get(f"/v{number}").headers["X-Value"]
                assert seen.encode("latin-1").decode() == value


def test_paths(directory: Path) -> None:
    """A file is found in a directory of any name."""
    names = hostile.some(file_name, COUNT)
    for number, name in enumerate(names):
        (directory / name).mkdir()
        (directory / name / "file").write_text(str(number))

    def alias(number: int, name: str, setting: str) -> Node:
        return pair(f"/{number}/", f"{directory}/{name}/", why=WHY, setting=setting)

    written, entries = attempt(names, alias)
    with lighttpd(directory, [array("alias.url", entries, WHY)]) as server:
        for number in written:
            assert server.get(f"/{number}/file").text == str(number)


def test_document_roots_and_logs(directory: Path) -> None:
    """Files are looked for in exactly that directory, and lines written to exactly that file."""
    names = [name for name in hostile.some(file_name, COUNT) if speakable(name)]
    (directory / "logs").mkdir()
    if user := harness.server_user():
        shutil.chown(directory / "logs", user)
    for number, name in enumerate(names):
        (directory / "files" / name).mkdir(parents=True)
        (directory / "files" / name / str(number)).write_text(str(number))

    def rooted(number: int, name: str, setting: str) -> Node:
        root, log = directory / "files" / name, directory / "logs" / name
        children = [
            directive("server.document-root", str(root), why=WHY, setting=setting),
            directive("accesslog.filename", str(log), why=WHY, setting=setting),
        ]
        return when(URL, f"/{number}", children, WHY, test="==")

    written, nodes = attempt(names, rooted)
    with lighttpd(directory, nodes) as server:
        for number in written:
            assert server.get(f"/{number}").text == str(number)
    assert {path.name for path in (directory / "logs").iterdir()} == set(written.values())


def test_certificates(directory: Path) -> None:
    """lighttpd does not start unless each of them is found."""
    issued = trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    (directory / "pem").mkdir()

    def certified(number: int, name: str, setting: str) -> Node:
        path = directory / "pem" / name
        path.write_bytes(issued)
        children = [
            directive("ssl.pemfile", str(path), why=WHY, setting=setting),
            directive("ssl.privkey", str(path), why=WHY, setting=setting),
        ]
        return when(HOST, f"{number}.example.com", children, WHY, test="==")

    written, nodes = attempt(hostile.some(file_name, COUNT), certified)
    address = f"127.0.0.1:{harness.free_port()}"
    first = directory / "pem" / next(iter(written.values()))
    engine = [
        directive("ssl.engine", "enable", why=WHY),
        directive("ssl.pemfile", str(first), why=WHY),
    ]
    nodes.append(when(SOCKET, address, engine, WHY, test="=="))
    with lighttpd(directory, nodes) as server:
        assert server.get("/").status == 404


def test_sockets(directory: Path) -> None:
    """A request reaches the application that listens at exactly this path."""
    names = hostile.some(lambda value: file_name(value) and len(value.encode()) < 64, 80)
    (directory / "s").mkdir()
    with contextlib.ExitStack() as running:

        def reached(number: int, name: str, setting: str) -> Node:
            path = directory / "s" / name
            running.enter_context(listening(path))
            options: list[Node] = [pair("socket", str(path), why=WHY, setting=setting)]
            backend = array("proxy.server", [block(PAIR, "", children=options, why=WHY)], WHY)
            return when(URL, f"/{number}", [backend], WHY, test="==")

        written, nodes = attempt(names, reached)
        with lighttpd(directory, nodes) as server:
            for number, name in written.items():
                assert server.get(f"/{number}").text == name


def test_patterns(directory: Path) -> None:
    """A literal in a condition's pattern matches that very path, and no other one does."""
    # lighttpd takes two conditions that differ only in case for one, and refuses the second.
    found = hostile.some(file_name, COUNT)
    names = list({name.casefold(): name for name in found}.values())

    def matching(number: int, name: str, setting: str) -> Node:
        found = pair("X-Value", str(number), why=WHY, setting=setting)
        header = array("setenv.set-response-header", [found], WHY)
        return when(URL, f"^/{regex(name)}$", [header], WHY, setting)

    written, nodes = attempt(names, matching)
    with lighttpd(directory, nodes) as server:
        for number, name in written.items():
            assert server.get(f"/{quote(name)}").headers["X-Value"] == str(number), name


def test_redirects(directory: Path) -> None:
    """What looks like a captured group or a variable is none in the target of a redirect."""
    names = ["a%20b", "$1", "%1", "${url.path}", "$$%%", "%", "$", "%%1", "100%25"]

    def redirect(number: int, name: str, setting: str) -> Node:
        target = Substitution((f"/{name}/",))
        return pair(f"^/({number})$", target, why=WHY, setting=setting)

    written, entries = attempt(names, redirect)
    with lighttpd(directory, [array("url.redirect", entries, WHY)]) as server:
        for number, name in written.items():
            assert server.get(f"/{number}").location == f"/{name}/"


class _Echo(socketserver.StreamRequestHandler):
    """An SCGI application that answers with its parameters."""

    def handle(self) -> None:
        size = b""
        while (byte := self.rfile.read(1)) != b":":
            size += byte
        found = self.rfile.read(int(size)).decode("latin-1").split("\0")
        body = json.dumps(dict(zip(found[::2], found[1::2], strict=False))).encode()
        self.wfile.write(b"Status: 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)


@contextlib.contextmanager
def echo() -> Iterator[Node]:
    """The directive that hands every request to an application which tells what it got."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options: list[Node] = [
            pair("host", "127.0.0.1", why=WHY),
            pair("port", int(server.server_address[1]), why=WHY),
            pair("check-local", "disable", why=WHY),
            pair("fix-root-scriptname", "enable", why=WHY),
        ]
        yield array("scgi.server", [block(PAIR, "/", children=options, why=WHY)], WHY)
        server.shutdown()


def test_parameters(directory: Path) -> None:
    """Data for the application arrives as it was set."""

    def parameter(number: int, value: str, setting: str) -> Node:
        return pair(f"V_{number}", value, why=WHY, setting=setting)

    written, entries = attempt(hostile.some(speakable, COUNT), parameter)
    with echo() as backend:
        nodes = [backend, array("setenv.set-environment", entries, WHY)]
        with lighttpd(directory, nodes) as server:
            seen = server.get("/any").json
            for number, value in written.items():
                assert seen[f"V_{number}"].encode("latin-1").decode() == value


def test_removed_headers_arrive_in_no_spelling(directory: Path) -> None:
    """Each listed spelling is removed in any case, also when it is repeated or in Connection."""
    listed = spellings("X-Forwarded-For")
    sent = [name for one in listed for name in (one, one.lower(), one.upper())]
    headers = [(name, "spoofed") for name in sent]
    empty = array("setenv.set-request-header", [pair(one, "", why=WHY) for one in listed], WHY)
    with echo() as backend, lighttpd(directory, [backend, empty]) as server:
        seen = server.get("/any", *headers, *headers, *(("Connection", name) for name in listed))
        assert "spoofed" not in seen.text
        assert server.get("/a//b%2Fc/%2e%2e/d").json["PATH_INFO"] == "/a/b/d"
