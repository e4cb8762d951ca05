"""A front with the configuration that is emitted for a site made of facts, without a project."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import Stack
from django_deploykit.config.values import Address
from django_deploykit.run.directory import lay_out, run_directory
from tests.servers import harness
from tests.servers.harness import Server

_START_SECONDS = 30
_OWN_FILES = {"apache": "httpd.conf", "lighttpd": "lighttpd.conf"}


@contextlib.contextmanager
def front(
    target: str,
    gateway: str,
    site: SiteFacts,
    backend: Address | Path,
    *beside: SiteFacts,
    own: str = "",
    around: str = "",
    app_server: str = "",
    **choices: Any,
) -> Iterator[Server]:
    """Run the front alone until the block ends; something listens at ``backend`` already, which
    is an address, or with more sites ``beside`` the directory of their sockets.

    ``own`` is what the operator wrote into the file that the emitted one includes, ``around`` what
    Apache's or lighttpd's own configuration says for whatever it serves, before it includes the
    emitted file. It is written as for ``app_server``, which is not run.
    """
    port = harness.free_port()
    user = harness.server_user()
    behind = renderers()[app_server] if app_server else None
    stack = Stack(renderers()[target], gateway, behind)
    sockets = backend if isinstance(backend, Path) else None
    deployment = Deployment(
        listen=(Address("127.0.0.1", port),), socket=None if sockets else backend
    )
    with run_directory() as directory:
        deployment = replace(deployment, log_directory=directory / "log", **choices)
        plan = replace(stack.plan([site, *beside], deployment, directory), sockets=sockets)
        *_, process = lay_out(stack, plan, directory, user)  # Not the authorizers of areas.
        if around:
            _surround(directory / _OWN_FILES[target], around)
        (directory / "deploykit" / site.name).mkdir(parents=True)
        (directory / "deploykit" / site.name / "own.conf").write_text(own)
        with (directory / "log" / "output").open("w") as output:
            running = subprocess.Popen(
                process.foreground.command, stdout=output, stderr=output, text=True
            )
        try:
            server = Server(port, site.prefix, running, [])
            _wait(server, directory / "log")
            yield server
        finally:
            harness.stop(running)


def _surround(path: Path, text: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if line.lower().startswith("include "))
    path.write_text("".join([*lines[:place], f"{text}\n", *lines[place:]]))


def _wait(server: Server, logs: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return
        time.sleep(0.02)
    said = "".join(log.read_text(errors="replace") for log in logs.iterdir())
    raise AssertionError(f"the front did not start:\n{said[-4000:]}")
