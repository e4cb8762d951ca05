"""Directories that must exist at every start of the host, for systemd-tmpfiles.

Manual: tmpfiles.d(5). The directory of a socket is made here and not by the service
(``RuntimeDirectory=``): that one would belong to the service's own group, vanish with every
restart, and take the socket of a socket unit with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from django_deploykit import contract
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Needs, Rendered, Renderer
from django_deploykit.config.services.accounts import file_name, front, user
from django_deploykit.config.syntax import tmpfiles
from django_deploykit.config.syntax.nodes import Comment, Node, directive
from django_deploykit.config.syntax.printer import Dialect, print_lines

dialect = cast(Dialect, tmpfiles)


class TmpfilesRenderer(Renderer):
    """The directories of the sites' sockets, and that of the logs where one was chosen."""

    name = "tmpfiles"
    summary = "directories for sockets and logs, for systemd-tmpfiles"
    gateways = ("uwsgi", "http", "fastcgi", "scgi")
    runs_app_server = True

    @classmethod
    def accompanies(cls, stack: Plan, sites: Sequence[Plan]) -> Sequence[Plan]:
        plan = replace(stack, service=sites[0].service)
        return [plan] if cls(plan).directories() else []

    def render(self) -> Rendered:
        name = file_name(self.plan)
        head = Comment(f"{name}: directories that exist whenever the host runs")
        nodes = [head, *(self.directories() or [Comment("Nothing is needed here.")])]
        target = f"/etc/tmpfiles.d/{name}.conf"
        return Rendered(
            filename=f"tmpfiles.d/{name}.conf",
            lines=tuple(print_lines(nodes, dialect)),
            needs=Needs(steps=(f"systemd-tmpfiles --create {target}  # once installed there",)),
        )

    def directories(self) -> list[Node]:
        """A line for each."""
        return [
            *(line for part in self.plan.each() for line in self._sockets(part)),
            *self._logs(),
        ]

    def _sockets(self, plan: Plan) -> list[Node]:
        (site,) = plan.sites
        own = Path(contract.socket_path(plan.name(site)))
        service = self.plan.service
        if self.plan.stands_alone or not service or service.takes_socket:
            return []
        if plan.socket(site) != own:
            return []  # A socket that was chosen lies in a directory of the operator's.
        owner = user(self.deployment)
        why = "the application makes its socket there, and the set-group-ID bit gives it the group"
        return [_made(own.parent, "2750", owner, front(plan), why=why, setting="socket")]

    def _logs(self) -> list[Node]:
        logs, directory = self.plan.logs, self.deployment.log_directory
        if logs is None or directory is None:
            return []
        why = "whoever opens the logs owns it"
        return [
            _made(
                directory,
                "0755",
                logs.owner,
                logs.group,
                why=why,
                setting="log_directory",
            )
        ]


def _made(path: Path, mode: str, owner: str, group: str, *, why: str, setting: str) -> Node:
    return directive("d", str(path), mode, owner, group, "-", why=why, setting=setting)
