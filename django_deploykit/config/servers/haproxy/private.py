"""A complete server configuration around an emitted site, to run or check it as anybody."""

from __future__ import annotations

from pathlib import Path

from django_deploykit.config.access import group_name
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered
from django_deploykit.config.servers.haproxy import installed
from django_deploykit.config.servers.haproxy.dialect import dialect
from django_deploykit.config.syntax import haproxy
from django_deploykit.config.syntax.nodes import Node, Raw, directive
from django_deploykit.exceptions import CannotRun

_WHY = "for this run only"


def foreground(plan: Plan, site: Rendered, directory: Path, user: str | None) -> Foreground:
    """Run ``site``, which lies in ``directory``, after a private ``global`` section."""
    binary = installed.binary()
    if binary is None:
        raise CannotRun("HAProxy is not installed here (Debian: apt-get install haproxy).")
    nodes: list[Node] = [
        directive("log", Raw("stdout format raw daemon"), why=_WHY),
        directive("maxconn", 1000, why=_WHY),
    ]
    if user:
        nodes += [
            directive("user", user, why="root drops to this user"),
            directive("group", group_name(user), why="root drops to this group"),
        ]
    lines = haproxy.section_lines(dialect, [], [(directive("global", why=_WHY), nodes)])
    text = "".join(f"{line.text}\n" for line in lines)
    files = str(directory / "haproxy.cfg"), str(directory / site.filename)
    words = [word for file in files for word in ("-f", file)]
    return Foreground(
        files={"haproxy.cfg": text},
        command=(binary, "-db", *words),
        check=(binary, "-c", *words),
    )
