"""An emitted stack whose parts a test starts, reloads, kills and starts again by themselves.

An application server behind a front is started by the very ``ExecStart`` of the emitted unit, and
each is reloaded by its ``ExecReload``; a front by the command that its distribution's unit has.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django_deploykit.config.access import group_name
from tests.servers import harness
from tests.servers.harness import Project, Server
from tests.servers.stacks import Stack

_START_SECONDS = 30

# Run inside of a project: lays a stack out, and says how to run it.
_LAY_OUT = """
import json, os, sys
from dataclasses import replace
from pathlib import Path

import django

django.setup()

from django_deploykit.config.deployment import parse_choices
from django_deploykit.config.plan import Plan
from django_deploykit.config.stack import resolve
from django_deploykit.management import choices
from django_deploykit.run.directory import lay_out

target, gateway, app_server, user, directory, *chosen = sys.argv[1:]
directory = Path(directory)
project = choices.read_project({"choices": chosen})
stack = resolve(target, gateway, app_server or None, sites=project.sites)
deployment = replace(project.deployment, log_directory=directory / "log")
if user and (stack.app_server or stack.renderer.stands_alone):
    deployment = replace(deployment, user=user)
plan = stack.plan(project.sites, deployment, directory)
if stack.app_server:
    plan = replace(plan, sockets=directory / "run")
*behind, front = lay_out(stack, plan, directory, user or None)
found = [one.service() for one in stack.running(plan)]
print(json.dumps({
    "front": {"command": front.foreground.command, "environment": front.foreground.environment},
    "behind": [
        {
            "command": service.command,
            "environment": one.foreground.environment,
            "socket": str(one.socket),
            "user": one.user,
        }
        for one, service in zip(behind, found, strict=True)
    ],
    "files": {one.filename: one.text for one in stack.render(plan)},
}))
"""


@dataclass
class Part:
    """One server of a stack, which can be away."""

    command: Sequence[str]
    environment: dict[str, str]
    output: Path
    user: str | None = None
    socket: str = ""
    reload: str = ""
    reopen: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it; where it listens on a socket, wait until it does."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.user,
                group=group_name(self.user) if self.user else None,
                extra_groups=[] if self.user else None,
            )
        if self.socket:
            self.wait_until(self._listens)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def wait_until(self, condition: Any) -> None:
        """Wait for something that this part is to do; fail with its own words."""
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{self.command}:\n{self.output.read_text()[-4000:]}")
            time.sleep(0.02)

    @property
    def variables(self) -> dict[str, str]:
        """What systemd tells the command that reloads it."""
        return {"MAINPID": str(self.pid)}

    def run_reload(self) -> None:
        """Run the reload line as systemd does."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.variables}
        subprocess.run(
            ["sh", "-c", self.reload], env=environment, check=True, timeout=60, capture_output=True
        )

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, and whatever is left of its process group."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


@dataclass
class Parts:
    """A running stack: its front, or what stands alone in its place, and the application server
    behind it, if there is one."""

    stack: Stack
    directory: Path
    port: int
    front: Part
    behind: Part | None
    files: dict[str, str]
    secure: ssl.SSLContext | None = None
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.server = _Server(self.port, "", None, [])  # type: ignore[arg-type]
        self.server.secure = self.secure

    def connect(self) -> socket.socket:
        """A fresh connection to the front, over TLS where the site has it."""
        return self.server.connect()

    def fill_log_volume(self) -> None:
        """Leave no room for another line in the logs; only root has such a volume."""
        assert (self.directory / "log").is_mount() or os.geteuid()
        with contextlib.suppress(OSError), (self.directory / "log" / "filler").open("wb") as filler:
            while (self.directory / "log").is_mount():
                filler.write(bytes(2**16))
                filler.flush()

    def unit(self, ending: str) -> str:
        """The emitted file whose name ends so."""
        (found,) = (text for name, text in self.files.items() if name.endswith(ending))
        return found


class _Server(Server):
    """What answers at the front's address, over TLS or not."""

    secure: ssl.SSLContext | None = None

    def connect(self) -> socket.socket:
        plain = super().connect()
        if self.secure is None:
            return plain
        try:
            return self.secure.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise


@contextlib.contextmanager
def running(
    project: Project,
    stack: Stack,
    *chosen: str,
    settings: str = "",
    secure: ssl.SSLContext | None = None,
) -> Iterator[Parts]:
    """Run a stack until the block ends; ``chosen`` are more words for ``--set``."""
    stack.require()
    with harness.public_directory() as directory, contextlib.ExitStack() as ending:
        ending.enter_context(_volume(directory / "log"))
        port, other = harness.free_port(), harness.free_port()
        listen = (f"listen=127.0.0.1:{other if secure else port}",)
        listen += (f"tls_listen=127.0.0.1:{port}",) if secure else ()
        environment = project.environment({"DJANGO_SETTINGS_MODULE": settings} if settings else {})
        found = _lay_out(project, stack, directory, environment, *listen, *chosen)
        front = Part(
            _as_installed(stack.target, found["front"]["command"]),
            {**environment, **found["front"]["environment"]},
            directory / "front.log",
        )
        behind = None
        if found["behind"]:
            (one,) = found["behind"]
            behind = Part(
                one["command"],
                {**environment, **one["environment"]},
                directory / "behind.log",
                one["user"],
                one["socket"],
                _exec_reload(found["files"]),
            )
        parts = Parts(stack, directory, port, front, behind, found["files"], secure)
        for part in (behind, front):
            if part:
                ending.callback(part.stop)
                part.start()
        if stack.has_front:
            front.reload, front.reopen = _words(stack.target, front)
        else:
            front.reload = _exec_reload(found["files"])
        front.wait_until(lambda: _answers(parts))
        yield parts


@contextlib.contextmanager
def _volume(logs: Path) -> Iterator[None]:
    """A volume for logs that can be filled, where this user may make one; else a directory."""
    logs.mkdir(mode=0o755)
    if os.geteuid():
        yield
        return
    mount = ("mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs", str(logs))
    subprocess.run(mount, check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run(["umount", str(logs)], check=True, timeout=60)


def _lay_out(
    project: Project, stack: Stack, directory: Path, environment: dict[str, str], *chosen: str
) -> dict[str, Any]:
    (directory / "run").mkdir(mode=0o755)
    wanted = dict(pair.split("=", 1) for pair in ("processes=2", *stack.choices, *chosen))
    done = subprocess.run(
        [
            *(sys.executable, "-c", _LAY_OUT, stack.target, stack.gateway, stack.app_server),
            *(harness.server_user() or "", str(directory)),
            *(f"{key}={value}" for key, value in wanted.items()),
        ],
        cwd=project.directory, env={"DJANGO_SETTINGS_MODULE": "example.settings", **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(done.stderr)
    laid_out: dict[str, Any] = json.loads(done.stdout)
    return laid_out


def _exec_reload(files: dict[str, str]) -> str:
    """What the emitted unit says, for a shell instead of systemd."""
    (unit,) = (text for name, text in files.items() if name.endswith(".service"))
    found = re.search("^ExecReload=(.*)$", unit, re.MULTILINE)
    return found[1] if found else ""


def _answers(parts: Parts) -> bool:
    try:
        return parts.server.get("/").status == 200
    except OSError:
        return False


def _as_installed(target: str, command: list[str]) -> list[str]:
    """The command that the package's unit has, if another one can be reloaded: HAProxy's master."""
    return [{"-db": "-W"}.get(word, word) for word in command] if target == "haproxy" else command


def _words(target: str, front: Part) -> tuple[str, str]:
    """How a front is reloaded, and how told to open its logs anew, by the package's own unit and
    script (Debian 12); but the one that runs here. HAProxy has no logs of its own."""
    if target == "haproxy":
        return f"{shlex.join(front.command)} -c -q && kill -USR2 $MAINPID", ""
    if target == "nginx":
        return f"{shlex.join(front.command)} -s reload", "kill -USR1 $MAINPID"
    if target == "lighttpd":
        return "kill -USR1 $MAINPID", "kill -HUP $MAINPID"
    graceful = shlex.join(word for word in front.command if word != "-DFOREGROUND")
    return f"{graceful} -k graceful", f"{graceful} -k graceful"
