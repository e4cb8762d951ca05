"""A complete server configuration around an emitted site, to run or check it as anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django_deploykit.config.access import group_name
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered
from django_deploykit.config.servers.lighttpd import installed
from django_deploykit.config.servers.lighttpd.dialect import dialect, values
from django_deploykit.config.syntax.nodes import Node, directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import CannotRun

# As Debian's own lighttpd.conf has them: what comes first, and what comes last.
_FIRST = ("mod_indexfile", "mod_access", "mod_alias", "mod_redirect")
_LAST = ("mod_staticfile",)
_WHY = "for this run only"


def foreground(plan: Plan, site: Rendered, directory: Path, user: str | None) -> Foreground:
    """Run ``site``, which lies in ``directory``, under a private configuration."""
    binary = installed.binary()
    if binary is None:
        raise CannotRun("lighttpd is not installed here (Debian: apt-get install lighttpd).")
    nodes = [
        values("server.modules", _FIRST, _WHY),
        *_basics(plan, directory, user),
        directive("include", str(directory / site.filename), why=_WHY, setting="TMPDIR"),
        *_overrides(site, directory),
        values("server.modules +=", _LAST, _WHY),
    ]
    text = "".join(f"{line.text}\n" for line in print_lines(nodes, dialect))
    command = (binary, "-f", str(directory / "lighttpd.conf"))
    return Foreground(
        files={"lighttpd.conf": text},
        command=(*command, "-D"),
        check=(*command, "-tt"),
    )


def _basics(plan: Plan, directory: Path, user: str | None) -> Iterator[Node]:
    first, scratch = plan.deployment.listen[0], str(directory / "run")
    yield directive("server.document-root", scratch, why=_WHY, setting="TMPDIR")
    yield values("server.upload-dirs", (scratch,), _WHY, "TMPDIR")
    if first.host:
        host = f"[{first.host}]" if ":" in first.host else first.host
        yield directive("server.bind", host, why=_WHY, setting="listen")
    yield directive("server.port", first.port, why=_WHY, setting="listen")
    if user:
        yield directive("server.username", user, why="root drops to this user")
        yield directive("server.groupname", group_name(user), why="root drops to this group")


def _overrides(site: Rendered, directory: Path) -> Iterator[Node]:
    """What the site keeps in a directory that only an installed server has."""
    if any(line.text.startswith("deflate.cache-dir") for line in site.lines):
        yield directive("deflate.cache-dir :=", str(directory / "run"), why=_WHY, setting="TMPDIR")
