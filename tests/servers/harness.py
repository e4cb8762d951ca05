"""Real servers for tests: example_project, run by ``manage.py deployrun``, and a raw client."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.access import server_account

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"

# What is not installed here, for the last line of the test run.
missing: set[str] = set()


def require(name: str, found: object) -> None:
    """Skip a test whose server is missing; where CI is set, fail it."""
    if found:
        return
    missing.add(name)
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")


def require_apache() -> None:
    """Skip, or fail in CI, where there is no Apache."""
    require("Apache httpd", shutil.which("apache2") or shutil.which("httpd"))


def require_lighttpd() -> None:
    """Skip, or fail in CI, where there is no lighttpd with its modules."""
    path = os.environ["PATH"] + ":/usr/sbin"
    require("lighttpd", shutil.which("lighttpd", path=path))


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def public_directory() -> Iterator[Path]:
    """A temporary directory that the web server's user can enter (pytest's own is private)."""
    directory = Path(tempfile.mkdtemp(prefix="deploykit-tests-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class Project:
    """A Django project on disk, the environment its commands run in, and who has signed in."""

    directory: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def manage(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return subprocess.run(
            self.command(*args),
            cwd=self.directory,
            env=self.environment(environ),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def command(self, *args: str) -> list[str]:
        return [sys.executable, str(self.directory / "manage.py"), *args]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a command: what the tests themselves need stays out."""
        kept = {k: v for k, v in os.environ.items() if k not in ("DJANGO_SETTINGS_MODULE", "CI")}
        return {**kept, **self.environ, **more}


@dataclass(frozen=True)
class Response:
    """One answer, read to its end."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        return str(self.headers["Location"])


@dataclass
class Server:
    """A running stack: where it listens, below which prefix, and what it logged."""

    port: int
    prefix: str
    process: subprocess.Popen[str]
    log: list[str]
    host: str = "localhost"
    said: str = ""

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Response:
        """Request a path below the prefix."""
        return self.request(method, self.prefix + path, headers)

    def post(self, path: str, body: bytes, *headers: tuple[str, str]) -> Response:
        return self.request("POST", self.prefix + path, headers, body)

    def request(
        self, method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        """Send exactly these bytes as the request target, and these header lines in order."""
        lines = list(headers)
        if not any(name.lower() == "host" for name, _ in lines):
            lines.insert(0, ("Host", self.host))
        if body or method == "POST":
            lines.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        text = f"{method} {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
        return self.raw(text.encode("utf-8", "surrogateescape") + body, method)

    def raw(self, request: bytes, method: str = "GET") -> Response:
        """Send raw bytes, read one response."""
        with self.connect() as connection:
            # A server may answer, and close, before it has read a body it refuses.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            response = HTTPResponse(connection, method=method)
            response.begin()
            return Response(response.status, response.headers, response.read())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


@contextlib.contextmanager
def deployrun(
    project: Project, *args: str, prefix: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run ``manage.py deployrun`` until the block ends; fail with its log if it does not start."""
    port = free_port()
    process = subprocess.Popen(
        project.command("deployrun", *args, "--listen", f"127.0.0.1:{port}"),
        cwd=project.directory,
        env=project.environment(environ or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    log: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, log), daemon=True)
    reader.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("ready "):
            process.wait(60)
            reader.join(10)
            raise AssertionError(f"deployrun did not start: {line}{''.join(log)}")
        yield Server(port, prefix, process, log, said=line)
    finally:
        stop(process)
        reader.join(10)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def stop(process: subprocess.Popen[Any], number: int = signal.SIGTERM) -> int:
    """End a command that the tests started; return its exit status."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:  # It would be in the way of others.
        process.kill()
        process.wait()
        raise


def descendants(pid: int) -> set[int]:
    """Every process below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # A process may end while we look at it.
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found, wanted = set(), {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found |= wanted
    return found


def alive(pids: set[int]) -> set[int]:
    """Those of these processes that still exist."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def _collect(process: subprocess.Popen[str], log: list[str]) -> None:
    for line in process.stderr or ():
        log.append(line)


def server_user() -> str | None:
    """The user that servers drop to, if this is root."""
    return server_account() if os.geteuid() == 0 else None


def example_project(directory: Path) -> Project:
    """Copy example_project below ``directory`` and make its data."""
    copy = directory / "example_project"
    shutil.copytree(ROOT / "example_project", copy, ignore=shutil.ignore_patterns("var"))
    project = Project(
        copy,
        {
            "DATA_DIR": str(directory / "data"),
            "ALLOWED_HOSTS": "localhost,127.0.0.1,.example.test",
            "WHOAMI_PUBLIC": "true",
            "EXAMPLE_PASSWORD": PASSWORD,
            "EXAMPLE_ENVIRON": "REGION=eu-north,TIER=büro",
        },
    )
    user = server_user()
    made = project.manage("demo_data", *(["--owner", user] if user else []))
    if made.returncode:
        raise AssertionError(f"demo_data failed: {made.stderr}")
    return project
