"""Units at work: a real systemd runs each application server in its sandbox."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import resolve
from django_deploykit.config.values import Address
from tests.cases import DEPLOYMENT, VERSIONS, site
from tests.servers import load, manager
from tests.servers.harness import PASSWORD
from tests.servers.manager import PROJECT, SITE, UNITS, Manager, SocketServer
from tests.servers.visitor import Visitor

UNIT = "django-example.service"
SOCKET = Path("/run/example/example.sock")
BEHIND = [name for name, one in renderers().items() if "http" in one.protocols]
DATA = SITE / "data"
SECONDS = 30
_CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
CONNECT = sys.executable, "-c", _CONNECT, str(SOCKET)


@dataclasses.dataclass(frozen=True)
class Installed:
    """A stack that was written, installed and started as its documentation says."""

    manager: Manager
    server: SocketServer
    app_server: str
    user: str

    @property
    def main(self) -> int:
        found = int(self.manager.show(UNIT, "MainPID"))
        assert found > 0  # To signal 0 would be to signal the tests themselves.
        return found

    def workers(self) -> set[int]:
        return {self.server.get("/whoami/").json["pid"] for _ in range(20)}


# Each as the web server's user, and one also as a user of its own.
SETUPS = {f"{name}-www-data": (name, "") for name in BEHIND} | {
    "gunicorn-site": ("gunicorn", "site")
}


@pytest.fixture(scope="module", params=SETUPS.values(), ids=SETUPS.keys())
def machine(request: pytest.FixtureRequest) -> Iterator[Installed]:
    """A whole system for each application server."""
    app_server, user = request.param
    with manager.booted() as system:
        _write(system, app_server, user)
        _install(system)
        server = SocketServer(0, "", None, [])
        server.path = system.path(SOCKET)
        yield Installed(system, server, app_server, user or "www-data")


@pytest.fixture
def installed(machine: Installed) -> Installed:
    """The system, with its service running, whatever the test before did to it."""
    machine.manager.run("systemctl", "start", UNIT)
    wait_for(lambda: _answers(machine))  # Some are started before they listen (Type=exec).
    return machine


def _write(system: Manager, app_server: str, user: str, front: str = "nginx") -> None:
    """Write the stack inside, from settings that take everything from an environment file."""
    variables = {
        "DATA_DIR": str(DATA),
        "ALLOWED_HOSTS": "localhost",
        "WHOAMI_PUBLIC": "true",
    }
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    system.path(PROJECT / "site.env").write_text(lines)
    environ = {"EXAMPLE_ENV_FILE": "site.env", "EXAMPLE_PASSWORD": PASSWORD}
    manage = (sys.executable, "manage.py")
    owner = user or "www-data"
    system.run(*manage, "demo_data", "--owner", owner, **environ)
    chosen = ("--set", "processes=2", *(("--set", f"user={user}") if user else ()))
    stack = (front, "--gateway", "http", "--app-server", app_server, *chosen)
    system.run(*manage, "deployconfig", *stack, "--output", str(SITE / "deploy"), **environ)
    system.run("chown", f"root:{owner}", str(PROJECT / "site.env"))
    system.run("chmod", "0640", str(PROJECT / "site.env"))


def _install(system: Manager) -> None:
    """The steps of docs/howto/systemd.md."""
    deploy = system.path(SITE / "deploy")
    for unit in (deploy / "systemd").iterdir():
        (system.path(UNITS) / unit.name).write_text(unit.read_text())
    for lines in deploy.glob("tmpfiles.d/*"):
        directory = system.path(Path("/etc/tmpfiles.d"))
        directory.mkdir()
        (directory / lines.name).write_text(lines.read_text())
        system.run("systemd-tmpfiles", "--create", f"/etc/tmpfiles.d/{lines.name}")
    log = "[Service]\nStandardOutput=append:/var/log/example.log\nStandardError=inherit\n"
    drop_in = system.path(UNITS / f"{UNIT}.d")
    drop_in.mkdir()
    (drop_in / "log.conf").write_text(log)  # There is no journal in the container.
    system.run("systemctl", "daemon-reload")
    started = system.run("systemctl", "start", UNIT, check=False)
    if system.show(UNIT, "ActiveState") != "active":
        said = system.path(Path("/var/log/example.log"))
        raise AssertionError(f"{started}\n{said.read_text() if said.exists() else ''}")


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def as_account(system: Manager, account: str, *command: str) -> str:
    """What a command says that is run by an account of the container."""
    group = {"nobody": "nogroup"}.get(account, account)
    words = ("setpriv", f"--reuid={account}", f"--regid={group}", "--clear-groups")
    return system.run(*words, *command, check=False)


def test_the_front_is_let_in_and_nobody_else(installed: Installed) -> None:
    """The web server's account can connect to the socket; another account cannot."""
    assert as_account(installed.manager, "www-data", *CONNECT) == ""
    assert "PermissionError" in as_account(installed.manager, "nobody", *CONNECT)


def test_the_site_works_in_its_sandbox(installed: Installed) -> None:
    """Pages, sessions in SQLite and uploads, from settings of the environment file; the front
    can read what was uploaded."""
    visitor = Visitor(installed.server)
    assert visitor.get("/").status == 200
    assert visitor.post("/counter/", {}).status == 302
    assert "1" in visitor.get("/counter/").text
    assert visitor.sign_in("alice").status == 302
    assert visitor.upload("/upload/", "grün.txt", b"content").status == 302
    stored = str(DATA / "media/uploads/grün.txt")
    assert as_account(installed.manager, "www-data", "cat", stored) == "content"


def test_a_large_upload_has_its_temporary_file(installed: Installed) -> None:
    """Django writes what is large to /tmp, which the service has to itself."""
    visitor = Visitor(installed.server)
    visitor.sign_in("alice")
    content = b"0123456789abcdef" * 2**18  # 4 MiB, above FILE_UPLOAD_MAX_MEMORY_SIZE
    assert visitor.upload("/upload/", "large.bin", content).status == 302
    stored = installed.manager.path(DATA / "media/uploads/large.bin")
    assert stored.stat().st_size == len(content)


def test_the_processes_are_confined(installed: Installed) -> None:
    """No root, no capability, no way to gain one, filtered system calls, read-only files."""
    numbers = {installed.user: _number(installed, "-u"), "group": _number(installed, "-g")}
    for line in _status(installed).values():
        assert line["Uid"].split() == [numbers[installed.user]] * 4
        assert line["Gid"].split() == [numbers["group"]] * 4
        assert {line[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
            "0" * 16
        }
        assert (line["NoNewPrivs"], line["Seccomp"]) == ("1", "2")
    for path in ("/etc", "/usr", str(PROJECT), "/var/log"):
        assert "Read-only file system" in _touch(installed, f"{path}/intruder")
    assert _touch(installed, f"{DATA}/media/friend") == ""


def _number(installed: Installed, option: str) -> str:
    return installed.manager.run("id", option, installed.user).strip()


def _status(installed: Installed) -> dict[int, dict[str, str]]:
    """/proc/PID/status of every process of the service."""
    group = installed.manager.show(UNIT, "ControlGroup")
    found = installed.manager.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split()
    assert len(found) > 1
    texts = {int(pid): installed.manager.run("cat", f"/proc/{pid}/status") for pid in found}
    return {
        pid: dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        for pid, text in texts.items()
    }


def _touch(installed: Installed, path: str) -> str:
    """Write where the service sees ``path``, with rights that it has not: root's."""
    command = ("nsenter", "--target", str(installed.main), "--mount", "touch", path)
    return installed.manager.run(*command, check=False)


def _under_load(installed: Installed) -> load.Load:
    """Four visitors who never stop asking."""
    names = [f"visitor {number}" for number in range(4)]
    path = "/slow/?seconds=0.1"
    visitors = [load.Visitor(name, path, headers=manager.TOLD) for name in names]
    return load.Load(installed.server.connect, visitors)


def test_a_reload_loses_no_request(installed: Installed) -> None:
    """New workers take over under load, and nobody notices."""
    assert installed.manager.show(UNIT, "CanReload") == "yes"
    before = installed.workers()
    with _under_load(installed) as asking:
        asking.wait_for_answers(2)
        installed.manager.run("systemctl", "reload", UNIT)
        wait_for(lambda: not before & installed.workers())
    assert asking.lost() == []


def test_a_changed_environment_file_needs_a_restart(installed: Installed) -> None:
    """A reload leaves processes their variables (docs/howto/reload)."""
    path = installed.manager.path(PROJECT / "site.env")
    kept = path.read_text()
    before = installed.workers()
    try:
        path.write_text(kept.replace("WHOAMI_PUBLIC=true", "WHOAMI_PUBLIC=false"))
        installed.manager.run("systemctl", "reload", UNIT)
        wait_for(lambda: not before & installed.workers())
        installed.manager.run("systemctl", "restart", UNIT)
        wait_for(lambda: _answers(installed))
        assert installed.server.get("/whoami/").status != 200
    finally:
        path.write_text(kept)
        installed.manager.run("systemctl", "restart", UNIT)
        wait_for(lambda: _answers(installed))


def test_it_comes_back_after_kill_9(installed: Installed) -> None:
    """The whole service is started anew, without anybody's help."""
    before = installed.main
    restarts = int(installed.manager.show(UNIT, "NRestarts"))
    installed.manager.run("kill", "-9", str(before))
    wait_for(lambda: int(installed.manager.show(UNIT, "NRestarts")) == restarts + 1)
    wait_for(lambda: installed.manager.show(UNIT, "ActiveState") == "active")
    wait_for(lambda: _answers(installed))
    assert installed.main != before


def _answers(installed: Installed) -> bool:
    try:
        return installed.server.get("/").status == 200
    except OSError:
        return False


def test_a_socket_unit_loses_no_request_when_the_service_restarts(installed: Installed) -> None:
    """Who asks while there is no server waits until there is one."""
    if "django-example.socket" not in installed.manager.show(UNIT, "Requires"):
        assert installed.manager.show("django-example.socket", "LoadState") == "not-found"
        return
    with _under_load(installed) as asking:
        asking.wait_for_answers(2)
        installed.manager.run("systemctl", "restart", UNIT)
        asking.wait_for_answers(2)
    assert asking.lost() == []


def test_it_ends_when_it_is_told_to(installed: Installed) -> None:
    """Stopped by its own signal, with no process left behind and no failure reported."""
    units = "django-example.socket", UNIT
    installed.manager.run("systemctl", "stop", *units, check=False)
    wait_for(lambda: installed.manager.show(UNIT, "ActiveState") == "inactive")
    assert installed.manager.show(UNIT, "Result") == "success"


@pytest.mark.parametrize("app_server", ["gunicorn", "uvicorn"])
def test_haproxy_is_let_in_and_no_other_front(app_server: str) -> None:
    """It runs as an account of its own, in no other group, and reaches sockets that systemd makes
    and those that an application server does."""
    with manager.booted() as system:
        _write(system, app_server, "", front="haproxy")
        _install(system)
        wait_for(system.path(SOCKET).exists)
        wait_for(lambda: "Refused" not in as_account(system, "haproxy", *CONNECT))
        assert as_account(system, "haproxy", *CONNECT) == ""
        assert "PermissionError" in as_account(system, "nobody", *CONNECT)


# An address for documentation (RFC 5737): nobody has it.
NOT_YET = Address("192.0.2.77", 8000)


def test_a_socket_is_made_before_the_host_has_its_address() -> None:
    """At the start of a host it is: one that failed would not be tried again."""
    stack = resolve("nginx", "http", "gunicorn")
    chosen = dataclasses.replace(DEPLOYMENT, socket=NOT_YET, server_version=VERSIONS["nginx"])
    services = stack.services(stack.plan([site()], chosen, Path("/srv/deploy")))
    (text,) = [one.render().text for one in services if one.name == "systemd-socket"]
    with manager.booted() as system:
        for name, lines in {"early": text, "failing": text.replace("FreeBind=yes\n", "")}.items():
            system.path(UNITS / f"{name}.socket").write_text(lines)
            system.path(UNITS / f"{name}.service").write_text("[Service]\nExecStart=/bin/true\n")
        system.run("systemctl", "daemon-reload")
        assert "failed" in system.run("systemctl", "start", "failing.socket", check=False).lower()
        system.run("systemctl", "start", "early.socket")
        assert system.show("early.socket", "ActiveState") == "active"
