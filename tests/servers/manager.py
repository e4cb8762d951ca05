"""A real systemd, as the first process of a container with a root directory of its own.

It sees this host's /usr, and the environment of the tests, read-only; it knows no unit but those
that a test installs. Nothing that it does reaches the host: neither its files nor its processes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django_deploykit import contract
from tests.servers import harness
from tests.servers.harness import ROOT, Response, Server

SITE = Path("/srv/site")
PROJECT = SITE / "example_project"
UNITS = Path("/etc/systemd/system")
_SECONDS = 30

# Targets that units of the tests name, or that systemd asks for by itself.
_TARGETS = ("basic", "multi-user", "network", "shutdown", "sockets", "sysinit")
_ACCOUNT = "site:x:3456:3456::/nonexistent:/usr/sbin/nologin\n"


@dataclass(frozen=True)
class Manager:
    """A running systemd: its process, and what it says."""

    leader: int
    console: Path

    def path(self, inside: Path) -> Path:
        """Where a path of the container lies for us; short enough for a unix socket."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def run(self, *command: str, check: bool = True, **environ: str) -> str:
        """Run a command inside, in the directory of the project; return what it said."""
        variables = {"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", **environ}
        words = ["env", "-i", "-C", str(PROJECT), *(f"{k}={v}" for k, v in variables.items())]
        done = subprocess.run(
            ["nsenter", "--target", str(self.leader), "--all", *words, *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def show(self, unit: str, name: str) -> str:
        """A property of a unit, as systemd itself holds it."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).rstrip("\n")


# What the front of an application server says of every request.
TOLD = (contract.CLIENT_ADDRESS_HEADER, "127.0.0.1"), (contract.SCHEME_HEADER, "http")


class SocketServer(Server):
    """What answers at a unix socket inside of the container, asked in the words of its front."""

    path: Path

    def request(
        self, method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        return super().request(method, target, [*TOLD, *headers], body)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection


def require() -> None:
    """Skip, or fail in CI, where no systemd can be run."""
    harness.require("systemd-nspawn (systemd-container)", shutil.which("systemd-nspawn"))


@contextlib.contextmanager
def booted() -> Iterator[Manager]:
    """Run systemd until the block ends, with example_project's code in ``SITE``."""
    require()
    with harness.public_directory() as root, contextlib.ExitStack() as stack:
        _fill(root)
        with (root / "console.log").open("w") as console:
            process = subprocess.Popen(
                _command(root),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                preexec_fn=stack.enter_context(_own_control_groups(root.name)),
            )
        stack.callback(_end, process)
        yield _ready(process, root / "console.log")


def _command(root: Path) -> list[str]:
    seen = {Path("/usr"), Path(sys.prefix), Path(sys.base_prefix)}
    return [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe"),
        *("--directory", str(root), "--boot", f"--setenv=SYSTEMD_UNIT_PATH={UNITS}"),
        *(f"--bind-ro={path}" for path in sorted(seen)),
        *("--", "--unit=basic.target", "--log-target=console"),
    ]


def _fill(root: Path) -> None:
    """The least that a system has: accounts, places for files, and targets without content."""
    for name in ("etc", "run", "tmp", "usr", "var/log"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("passwd", "group", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", root / "etc")
    for name in ("passwd", "group"):
        with (root / "etc" / name).open("a") as stream:
            stream.write(_ACCOUNT if name == "passwd" else "site:x:3456:\n")
    (root / "etc/os-release").write_text("ID=tests\n")
    (root / "etc/machine-id").touch()
    units = root / UNITS.relative_to("/")
    units.mkdir(parents=True)
    for target in _TARGETS:
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    project = root / PROJECT.relative_to("/")
    shutil.copytree(ROOT / "example_project", project, ignore=shutil.ignore_patterns("var"))


@contextlib.contextmanager
def _own_control_groups(name: str) -> Iterator[object]:
    """What puts a new process into control groups of its own, in whichever hierarchies exist."""
    tops = [Path("/sys/fs/cgroup", part) for part in (".", "systemd", "unified")]
    groups = [top / name for top in tops if (top / "cgroup.procs").exists()]
    for group in groups:
        group.mkdir()

    def enter() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    try:
        yield enter
    finally:
        for group in groups:
            for directory, _, _ in os.walk(group, topdown=False):
                _remove(Path(directory))


def _remove(group: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while group.is_dir() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # Busy, until the last process in it is gone.
            group.rmdir()
        time.sleep(0.02)


def _ready(process: subprocess.Popen[bytes], console: Path) -> Manager:
    """Wait until systemd takes commands."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for child in _children(process):
            manager = Manager(child, console)
            state = manager.run("systemctl", "is-system-running", check=False)
            if state.strip() in ("running", "degraded"):
                return manager
        time.sleep(0.05)
    raise AssertionError(f"systemd did not start:\n{console.read_text()[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the container: all processes of a PID namespace die with its first one."""
    for child in _children(process):
        os.kill(child, signal.SIGKILL)
    process.wait(60)


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    if process.poll() is not None:
        return []
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in text.split()]
