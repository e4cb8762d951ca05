"""A complete server configuration around an emitted site, to run or check it as anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django_deploykit.config.access import group_name
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered
from django_deploykit.config.servers.nginx import installed
from django_deploykit.config.servers.nginx.dialect import Version, dialect
from django_deploykit.config.syntax.nodes import Glob, Node, block, directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import CannotRun

_WHY = "for this run only"
_TEMPORARY = ("client_body_temp", "proxy_temp", "fastcgi_temp", "uwsgi_temp", "scgi_temp")


def foreground(plan: Plan, site: Rendered, directory: Path, user: str | None) -> Foreground:
    """Run ``site``, which lies in ``directory``, under a private configuration."""
    binary = installed.binary()
    if binary is None:
        raise CannotRun("nginx is not installed here (Debian: apt-get install nginx).")
    nodes = [
        *_basics(directory, user),
        block("events", why=_WHY, children=[directive("worker_connections", 768, why=_WHY)]),
        block("http", why=_WHY, children=[*_http(directory), _site(directory, site)]),
    ]
    text = "".join(f"{line.text}\n" for line in print_lines(nodes, dialect))
    command: tuple[str, ...] = (binary, "-p", f"{directory}/", "-c", str(directory / "nginx.conf"))
    if Version.of(plan.deployment).at_least(1, 19, 5):
        # Until it has read its configuration, it would write to the installed server's log.
        command += ("-e", "stderr")
    return Foreground(files={"nginx.conf": text}, command=command, check=(*command, "-t"))


def _basics(directory: Path, user: str | None) -> Iterator[Node]:
    yield directive("daemon", "off", why=_WHY)
    yield directive("pid", str(directory / "run" / "nginx.pid"), why=_WHY, setting="TMPDIR")
    yield _error_log(directory)
    yield directive("worker_processes", 2, why=_WHY)
    if user:
        yield directive("user", user, group_name(user), why="root drops to this user")


def _http(directory: Path) -> Iterator[Node]:
    if types := installed.media_types():
        yield directive("include", Glob(str(types)), why="as in every distribution")
    yield directive("default_type", "application/octet-stream", why="as in every distribution")
    yield directive("server_names_hash_bucket_size", 512, why="host names may be long")
    log = directory / "log" / "server-access.log"
    yield directive("access_log", str(log), why=_WHY, setting="TMPDIR")
    for name in _TEMPORARY:
        path = directory / "run" / name
        yield directive(f"{name}_path", str(path), why=_WHY, setting="TMPDIR")


def _error_log(directory: Path) -> Node:
    path = directory / "log" / "server-error.log"
    return directive("error_log", str(path), why=_WHY, setting="TMPDIR")


def _site(directory: Path, site: Rendered) -> Node:
    return directive("include", Glob(str(directory / site.filename)), why=_WHY, setting="TMPDIR")
