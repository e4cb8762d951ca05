"""The authorizer's unit at work: a real systemd runs it in its sandbox, as a user of its own."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auth.fastcgi_client import ask
from tests.servers import manager
from tests.servers.guarded import basic
from tests.servers.harness import PASSWORD
from tests.servers.manager import PROJECT, SITE, UNITS, Manager

UNIT = "authorizer-example.service"
HELD = "authorizer-example.socket"
SOCKET = Path("/run/example-authorizer/example.sock")
SECONDS = 30

_AREAS = """
DEPLOYKIT["SITE"]["AUTH_AREAS"] = {"/files/": {"POLICY": "staff", "DIRECTORY": "/srv/files"}}
"""


@pytest.fixture(scope="module")
def system() -> Iterator[Manager]:
    """lighttpd's written stack, installed as docs/howto/authorizer.md says, without lighttpd."""
    with manager.booted() as found:
        variables = {"DATA_DIR": str(SITE / "data"), "ALLOWED_HOSTS": "localhost"}
        found.path(PROJECT / "site.env").write_text(
            "".join(f"{name}={value}\n" for name, value in variables.items())
        )
        settings = found.path(PROJECT / "example/settings.py")
        settings.write_text(settings.read_text() + _AREAS)
        found.path(Path("/srv/files")).mkdir()
        environ = {"EXAMPLE_ENV_FILE": "site.env", "EXAMPLE_PASSWORD": PASSWORD}
        manage = (sys.executable, "manage.py")
        found.run(*manage, "demo_data", "--owner", "site", **environ)
        stack = ("lighttpd", "--set", "user=site", "--output", str(SITE / "deploy"))
        found.run(*manage, "deployconfig", *stack, **environ)
        found.run("chown", "root:site", str(PROJECT / "site.env"))
        _install(found)
        yield found


def _install(system: Manager) -> None:
    deploy = SITE / "deploy"
    for name in (UNIT, HELD):
        system.run("cp", str(deploy / "systemd" / name), str(UNITS))
    drop_in = system.path(UNITS / f"{UNIT}.d")
    drop_in.mkdir()
    log = "[Service]\nStandardOutput=append:/var/log/authorizer.log\nStandardError=inherit\n"
    (drop_in / "log.conf").write_text(log)  # There is no journal in the container.
    system.run("systemctl", "daemon-reload")
    said = system.run("systemctl", "start", UNIT, check=False)
    assert system.show(UNIT, "ActiveState") == "active", said
    _wait_until_it_listens(system)


def _wait_until_it_listens(system: Manager) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError):
            ask(str(system.path(SOCKET)))
            return
        log = system.path(Path("/var/log/authorizer.log"))
        assert time.monotonic() < deadline, log.read_text() if log.exists() else ""
        time.sleep(0.05)


def _asked(system: Manager, login: str) -> str:
    _, credentials = basic(login, PASSWORD)
    told = {"HTTP_AUTHORIZATION": credentials, "DEPLOYKIT_POLICY": "staff"}
    told["DEPLOYKIT_SITE"] = "example"
    return ask(str(system.path(SOCKET)), **told)[0]


def test_it_answers_in_its_sandbox(system: Manager) -> None:
    """From the site's own database; a question without a policy, as its front asks none, is an
    error."""
    assert _asked(system, "staff") == "200 OK"
    assert _asked(system, "alice") == "403 Forbidden"
    _, credentials = basic("staff", PASSWORD)
    told = {"HTTP_AUTHORIZATION": credentials, "DEPLOYKIT_SITE": "example"}
    without = ask(str(system.path(SOCKET)), **told)
    assert without[0] == "500 Internal Server Error"


def test_the_front_is_let_in_and_nobody_else(system: Manager) -> None:
    """By the group of the socket, although the authorizer's user is not in it."""
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    for account, group, said in (("www-data", "www-data", ""), ("nobody", "nogroup", "Permission")):
        words = ("setpriv", f"--reuid={account}", f"--regid={group}", "--clear-groups")
        command = (*words, sys.executable, "-c", connect, str(SOCKET))
        assert said in system.run(*command, check=False)
        assert bool(said) == bool(system.run(*command, check=False))


def test_it_comes_back_and_nobody_takes_its_place(system: Manager) -> None:
    """After kill -9 within a moment. While it is stopped, with status 0, nobody else can listen
    there, and who asks waits; the socket goes with its own unit."""
    before = int(system.show(UNIT, "NRestarts"))
    system.run("systemctl", "kill", "--signal=KILL", UNIT)
    assert _asked(system, "staff") == "200 OK"
    assert int(system.show(UNIT, "NRestarts")) == before + 1
    system.run("systemctl", "stop", UNIT)
    assert system.show(UNIT, "Result") == "success"
    instead = "import os, socket, sys; os.unlink(sys.argv[1]); socket.socket(1).bind(sys.argv[1])"
    for account in ("site", "nobody"):
        words = ("setpriv", f"--reuid={account}", "--clear-groups", sys.executable, "-c", instead)
        assert "PermissionError" in system.run(*words, str(SOCKET), check=False)
    assert _asked(system, "staff") == "200 OK"  # Whoever asks starts it.
    system.run("systemctl", "stop", HELD)
    assert not system.path(SOCKET).exists()
    assert system.show(UNIT, "ActiveState") == "inactive"
    system.run("systemctl", "start", HELD)  # For whatever test is next.
