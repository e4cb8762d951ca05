"""A private httpd around nodes of configuration, without Django: what a grammar test needs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from django_deploykit.config.access import group_name
from django_deploykit.config.servers.apache import installed
from django_deploykit.config.servers.apache.dialect import dialect
from django_deploykit.config.syntax.nodes import Glob, Node, Raw, block, directive
from django_deploykit.config.syntax.printer import print_lines
from tests.servers import harness
from tests.servers.harness import Server
from tests.syntax.hostile import DEFINED

_MODULES = ("mpm_event", "unixd", "authz_core", "alias", "env", "headers", "log_config", "rewrite")
_START_SECONDS = 30
_LOG_SECONDS = 10
_WHY = "for this test"


def wsgi_modules() -> list[Path]:
    """Every mod_wsgi that is installed for this Python: the package index's, a distribution's."""
    found = filter(None, (installed.package_module(), installed.distribution_module()))
    mine = (None, sys.version_info[:2])
    return [module for module in found if installed.module_facts(module)[1] in mine]


@contextlib.contextmanager
def apache(
    directory: Path,
    nodes: Sequence[Node],
    *,
    modules: Sequence[str] = (),
    wsgi: Path | None = None,
    lang: str = "C",
) -> Iterator[Server]:
    """Run httpd with ``nodes`` until the block ends; everything of its own is in ``directory``."""
    harness.require_apache()
    port = harness.free_port()
    own = [*_basics(directory, port), *_modules(modules, wsgi), *_closed()]
    text = "".join(f"{line.text}\n" for line in print_lines([*own, *nodes], dialect))
    (directory / "httpd.conf").write_text(text, encoding="utf-8")
    output = directory / "output.log"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [str(installed.binary()), "-f", str(directory / "httpd.conf"), "-DFOREGROUND"],
            env={"LANG": lang, "HOME": "/replaced/by/httpd", "PATH": "/usr/sbin:/usr/bin"},
            stdout=stream, stderr=stream, text=True,
        )  # fmt: skip
        try:
            server = Server(port, "", process, [])
            _wait(server, [output, directory / "error.log"])
            yield server
        finally:
            harness.stop(process)


def logged_lines(log: Path, count: int) -> list[str]:
    """The sorted lines of a log that is to have ``count``; httpd writes after it has answered."""
    deadline = time.monotonic() + _LOG_SECONDS
    while True:
        lines = log.read_text().splitlines()
        if len(lines) >= count or time.monotonic() > deadline:
            return sorted(lines)
        time.sleep(0.005)


def _basics(directory: Path, port: int) -> Iterator[Node]:
    yield directive("ServerRoot", str(directory), why=_WHY)
    yield directive("ServerName", "localhost", why=_WHY)
    yield directive("DefaultRuntimeDir", str(directory), why=_WHY)
    yield directive("PidFile", str(directory / "httpd.pid"), why=_WHY)
    yield directive("ErrorLog", str(directory / "error.log"), why=_WHY)
    yield directive("Define", DEFINED, "replaced-by-httpd", why=_WHY)
    yield directive("Listen", Raw(f"127.0.0.1:{port}"), why=_WHY)
    if user := harness.server_user():
        yield directive("User", user, why=_WHY)
        yield directive("Group", group_name(user), why=_WHY)


def _modules(names: Sequence[str], wsgi: Path | None) -> Iterator[Node]:
    directory = installed.module_directory()
    assert directory is not None
    for name in (*_MODULES, *names):
        path = directory / f"mod_{name}.so"
        if path.is_file():  # Distributions differ in what they compile in.
            yield directive("LoadModule", f"{name}_module", str(path), why=_WHY)
    if wsgi:
        yield directive("LoadModule", "wsgi_module", str(wsgi), why=_WHY)
        yield directive("WSGISocketPrefix", "wsgi", why=_WHY)
        # A Python that is not the distribution's may look for itself where nobody may read.
        yield directive("WSGIPythonHome", sys.prefix, why=_WHY)


def _closed() -> Iterator[Node]:
    denied = directive("Require", "all", "denied", why=_WHY)
    yield block("Directory", Glob("/"), children=[denied], why="nothing is public unless granted")


def _wait(server: Server, logs: Sequence[Path]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return
        time.sleep(0.02)
    said = "".join(log.read_text(errors="replace") for log in logs if log.is_file())
    raise AssertionError(f"httpd did not start:\n{said[-4000:]}")
