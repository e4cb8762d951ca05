"""A systemd socket for an application server that can be handed one.

It is there before the server runs and while it restarts: requests wait instead of failing. A low
port needs no privilege in the server. Manual: systemd.socket(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from django_deploykit.config import limits
from django_deploykit.config.deployment import Address
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Plan, Rendered, Renderer
from django_deploykit.config.services.accounts import FRONT, unit_name, user
from django_deploykit.config.services.systemd_service import only_site
from django_deploykit.config.syntax import systemd
from django_deploykit.config.syntax.nodes import Comment, Node, directive
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.exceptions import ChoiceError

dialect = cast(Dialect, systemd)


class SystemdSocketRenderer(Renderer):
    """A socket unit for the application server of one site, which is started with it."""

    name = "systemd-socket"
    summary = "a systemd socket that an application server is handed"
    gateways = ("http",)
    runs_app_server = True

    @classmethod
    def accompanies(cls, stack: Plan, sites: Sequence[Plan]) -> Sequence[Plan]:
        return [plan for plan in sites if plan.service and plan.service.takes_socket]

    def render(self) -> Rendered:
        site, service = only_site(self.plan, self.name)
        if not service.takes_socket:
            raise ChoiceError(f"target {self.name!r}: this server makes its socket itself.")
        sections: list[tuple[str, list[Node]]] = [
            (
                "Unit",
                [
                    directive(
                        "Description",
                        f"Socket of Django site {self.plan.name(site)}",
                        why="for lists",
                    )
                ],
            ),
            ("Socket", self._socket(site)),
            (
                "Install",
                [directive("WantedBy", "sockets.target", why="made before services start")],
            ),
        ]
        head = Comment(
            f"{self.plan.name(site)}: where its application server answers, for systemd 247+"
        )
        return Rendered(
            filename=f"systemd/{unit_name(self.plan, site)}.socket",
            lines=tuple(systemd.unit_lines(dialect, [head], sections)),
        )

    def _socket(self, site: SiteFacts) -> list[Node]:
        nodes: list[Node] = [
            *(_listen(address) for address in self._addresses(site)),
            directive("Backlog", limits.BACKLOG, why="a full queue of a unix socket is a 502"),
        ]
        if not any(isinstance(address, Path) for address in self._addresses(site)):
            return nodes
        return [
            *nodes,
            directive("SocketUser", user(self.deployment), why="the application's", setting="user"),
            directive("SocketGroup", FRONT, why="the front connects, and nobody else"),
            directive("SocketMode", "0660", why="whoever connects is believed to be the front"),
            directive("RemoveOnStop", "yes", why="the socket goes with its unit"),
        ]

    def _addresses(self, site: SiteFacts) -> Sequence[Path | Address]:
        return self.deployment.listen if self.plan.stands_alone else [self.plan.socket(site)]


def _listen(address: Path | Address) -> Node:
    setting = "listen" if isinstance(address, Address) else "socket"
    # A port without an address means every one, of IPv4 and IPv6.
    return directive("ListenStream", str(address).removeprefix("*:"), why="where", setting=setting)
