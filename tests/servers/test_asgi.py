"""ASGI servers behind each front: what the behaviour table does not ask, websockets above all."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import signal
import socket
import stat
import subprocess
import time
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from django_deploykit import contract
from django_deploykit.config.output import output_files, write
from django_deploykit.config.stack import resolve
from tests.cases import DEPLOYMENT, site
from tests.config.tiny import environment, relocated
from tests.servers import harness, small_projects, stacks
from tests.servers.harness import Server
from tests.servers.stacks import FRONTS, STACKS

ASGI = [stack for stack in STACKS.values() if stack.app_server in ("granian", "uvicorn")]
# Fronts with an ASGI server behind them.
SITES = [site for site in stacks.SITES if site.stack in ASGI]
PATH = "/ws/echo/"


def open_socket(
    server: Server, path: str = PATH, *headers: tuple[str, str], host: str = "localhost"
) -> ClientConnection:
    """Shake hands at a path below the prefix."""
    return connect(
        f"ws://{host}:{server.port}{server.prefix}{path}",
        sock=server.connect(),
        additional_headers=headers,
        open_timeout=30,
        compression=None,
        proxy=None,
        ping_interval=None,
    )


def seen(server: Server, *headers: tuple[str, str]) -> dict[str, Any]:
    """How the application saw a handshake; what differs from one to the next is left out."""
    with open_socket(server, PATH, *headers) as websocket:
        found: dict[str, Any] = json.loads(websocket.recv(timeout=30))
    del found["headers"]["sec-websocket-key"]
    return found


def handshake(protocol: str = "websocket") -> list[tuple[str, str]]:
    return [
        ("Host", "localhost"),
        ("Upgrade", protocol),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]


def test_a_websocket_gets_through(server: Server) -> None:
    """Text goes both ways, and the application knows who opened it, where and how."""
    with open_socket(server, f"{PATH}?room=%2F") as websocket:
        found = json.loads(websocket.recv(timeout=30))
        for text in ("hello", "größe", "x" * 70_000):
            websocket.send(text)
            assert websocket.recv(timeout=30) == text
    assert found["path"] == f"{server.prefix}{PATH}"
    assert found["root_path"] == server.prefix
    assert found["query_string"] == "room=%2F"
    assert found["scheme"] == "ws"
    assert found["client"][0] == "127.0.0.1"
    assert found["server"] == ["localhost", server.port]
    assert found["data"]["REGION"] == "eu-north"


SPOOFED = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("Forwarded", "for=203.0.113.9;proto=https"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Script-Name", "/evil"),
    ("Script-Name", "/evil"),
    ("Remote-User", "admin"),
    ("X-Deploykit-Region", "evil"),
]


@pytest.mark.parametrize(("name", "value"), SPOOFED, ids=[name for name, _ in SPOOFED])
def test_a_handshake_cannot_claim_anything(server: Server, name: str, value: str) -> None:
    """No header of a handshake changes client, scheme, path or data, in either spelling, alone or
    twice, and none of them arrives."""
    honest = seen(server)
    for spelling in (name, name.replace("-", "_")):
        assert seen(server, (spelling, value)) == honest
        assert seen(server, (spelling, value), (spelling, value)) == honest


def test_no_forbidden_header_arrives_with_a_handshake(server: Server) -> None:
    """Every header that only a proxy may set is gone before the application looks."""
    names = contract.CLIENT_FORBIDDEN_HEADERS
    both = [(one, "spoofed") for name in names for one in (name, name.replace("-", "_"))]
    for start in range(0, len(both), 40):
        assert "spoofed" not in seen(server, *both[start : start + 40])["headers"].values()


@pytest.mark.parametrize("protocol", ["websocket", f"websocket {PATH}", "h2c"])
def test_nothing_else_is_upgraded(server: Server, protocol: str) -> None:
    """Where the application takes no websocket, the request stays one, and Upgrade ends at the
    front, whatever stands in it."""
    answer = server.request("GET", f"{server.prefix}/whoami/", handshake(protocol))
    assert answer.status == 200
    assert answer.json["path"] == f"{server.prefix}/whoami/"
    assert "HTTP_UPGRADE" not in answer.json["headers"]


def test_only_websockets_are_upgraded(server: Server) -> None:
    """Another protocol than a websocket is not passed on at a websocket's own URL either."""
    answer = server.request("GET", f"{server.prefix}{PATH}", handshake("h2c"))
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/ws/", "/ws/echo/more/", "/ws/echo"])
def test_no_websocket_elsewhere(server: Server, path: str) -> None:
    """A handshake outside of the routes is refused."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, path)
    assert refused.value.response.status_code in (
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.MOVED_PERMANENTLY,
    )


def test_an_unknown_host_gets_no_websocket(server: Server) -> None:
    """The front refuses a name that is not the site's, for handshakes too."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, host="evil.example")
    assert refused.value.response.status_code == HTTPStatus.FORBIDDEN


def test_a_strange_page_gets_no_websocket(server: Server) -> None:
    """Origin reaches the application, which alone can refuse a stranger's page."""
    assert seen(server, ("Origin", f"http://localhost:{server.port}"))["type"] == "websocket"
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, PATH, ("Origin", "https://evil.example"))
    assert refused.value.response.status_code == HTTPStatus.FORBIDDEN


# WSGI


@pytest.fixture(scope="module")
def plain(public: Path) -> harness.Project:
    """A project that has WSGI only."""
    return small_projects.make(public / "plain", {"plain": ""})


@pytest.mark.parametrize("front", FRONTS)
def test_a_project_with_wsgi_alone_runs_too(plain: harness.Project, front: str) -> None:
    """Without ASGI_APPLICATION, Django's own ASGI application is run, and believes the front."""
    STACKS[f"{front}/http/uvicorn"].require()
    arguments = (front, "--gateway", "http", "--app-server", "uvicorn")
    with harness.deployrun(plain, *arguments) as server:
        honest = server.get("/a%20b").json
        spoofed = server.get("/a%20b", ("X-Forwarded-Proto", "https"), ("Script_Name", "/a"))
        assert {**spoofed.json, "pid": 0} == {**honest, "pid": 0}
        assert (honest["script_name"], honest["path_info"]) == ("", "/a b")
        assert honest["secure"] is False


@pytest.mark.parametrize("front", FRONTS)
def test_no_upgrade_reaches_a_wsgi_server(example: harness.Project, front: str) -> None:
    """With a WSGI server behind it the front passes no upgrade, and deployconfig says so."""
    STACKS[f"{front}/http/gunicorn"].require()
    arguments = (front, "--gateway", "http", "--app-server", "gunicorn")
    said = example.manage("deployconfig", *arguments)
    assert "its websockets (/ws/echo/) do not get through" in said.stderr
    assert "upgrade=websocket" not in said.stdout
    assert "$http_upgrade" not in said.stdout
    assert '"upgrade"' not in said.stdout


# The servers themselves


def _answer(path: Path) -> bytes:
    """What a server on a unix socket says to a plain request; b"" while there is none."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(b"GET / HTTP/1.0\r\nHost: example.com\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(4096), b""))
    return b""


@pytest.mark.parametrize("name", ["granian", "uvicorn"])
def test_it_starts_where_another_was_killed(name: str, tmp_path: Path) -> None:
    """A socket that was left behind is replaced, and is for its user and group alone."""
    harness.require(name, importlib.util.find_spec(name))
    facts, left = relocated(site(), tmp_path), tmp_path / "shop.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))
    # granian (2.8) loses a SIGTERM that comes as a worker starts, and kills it after this time.
    deployment = replace(DEPLOYMENT, socket=left, request_timeout=20)
    stack = resolve(name)
    directory = tmp_path / "deploy"
    plan = stack.plan([facts], deployment, directory)
    write(output_files(stack.render(plan), directory, "a test"))
    command = stack.renderer(plan).foreground(directory, None).command
    process = subprocess.Popen(command, env=environment(PYTHONWARNINGS=""))
    try:
        deadline = time.monotonic() + 30
        while not (answer := _answer(left)) and time.monotonic() < deadline:
            assert process.poll() is None
        assert answer.startswith(b"HTTP/1.")
        # Its script refuses whoever is not its front.
        assert b"400" in answer.splitlines()[0]
        assert stat.S_IMODE(left.stat().st_mode) == 0o660
    finally:
        harness.stop(process)


def test_a_slow_start_does_not_undo_a_reload(tmp_path: Path) -> None:
    """uvicorn by itself gives a new worker up that has not loaded the project within five seconds,
    and keeps the old one, with the old code."""
    harness.require("uvicorn", importlib.util.find_spec("uvicorn"))
    facts, where, slow = relocated(site(), tmp_path), tmp_path / "shop.sock", tmp_path / "slow"
    code = f"import os, time\ntime.sleep(7 if os.path.exists({str(slow)!r}) else 0)\n"
    script = tmp_path / "shop" / "asgi.py"
    script.write_text(code + script.read_text())
    stack, directory = resolve("uvicorn"), tmp_path / "deploy"
    plan = stack.plan([facts], replace(DEPLOYMENT, socket=where), directory)
    write(output_files(stack.render(plan), directory, "a test"))
    command = stack.renderer(plan).foreground(directory, None).command
    process = subprocess.Popen(command, env=environment(PYTHONWARNINGS=""))
    try:
        deadline = time.monotonic() + 60
        while not _answer(where) and time.monotonic() < deadline:
            assert process.poll() is None
        slow.touch()
        before, deadline = harness.descendants(process.pid), time.monotonic() + 30
        process.send_signal(signal.SIGHUP)
        while before <= harness.descendants(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        harness.stop(process)
