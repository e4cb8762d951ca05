"""A systemd socket for an application server, or an authorizer, that can be handed one.

It is there before the server runs and while it restarts: requests wait instead of failing. A low
port needs no privilege in the server; and no other account can listen there in its place.
Manual: systemd.socket(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from django_deploykit.config import limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.services.accounts import front, unit_name, user
from django_deploykit.config.services.systemd_service import (
    description,
    listens,
    listens_by,
    only_site,
)
from django_deploykit.config.syntax import systemd
from django_deploykit.config.syntax.nodes import Comment, Node, directive
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.values import Address
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
        plans = [*sites, *stack.beside]
        return [plan for plan in plans if plan.service and plan.service.takes_socket]

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
                        f"Socket of {description(self.plan, site, service)}",
                        why="for lists",
                    )
                ],
            ),
            ("Socket", self._socket(site, service)),
            (
                "Install",
                [directive("WantedBy", "sockets.target", why="made before services start")],
            ),
        ]
        head = Comment(f"{self.plan.name(site)}: where {service.what} answers, for systemd 247+")
        return Rendered(
            filename=f"systemd/{unit_name(self.plan, site, service.kind)}.socket",
            lines=tuple(systemd.unit_lines(dialect, [head], sections)),
        )

    def _socket(self, site: SiteFacts, service: Service) -> list[Node]:
        addresses, setting = listens(self.plan, site, service), listens_by(self.plan, service)
        nodes: list[Node] = [
            *(node for address in addresses for node in _listen(address, setting)),
            *_apart(addresses, setting),
            *_before_the_network(addresses, setting),
            directive("Backlog", limits.BACKLOG, why="a full queue of a unix socket is a 502"),
        ]
        if not any(isinstance(address, Path) for address in addresses):
            return nodes
        return [
            *nodes,
            directive("SocketUser", user(self.deployment), why="the application's", setting="user"),
            directive("SocketGroup", front(self.plan), why="the front connects, and nobody else"),
            directive("SocketMode", "0660", why="whoever connects is believed to be the front"),
            directive("RemoveOnStop", "yes", why="the socket goes with its unit"),
        ]


def _listen(address: Path | Address, setting: str) -> list[Node]:
    return [
        directive("ListenStream", where, why="where", setting=setting)
        for where in _spellings(address)
    ]


def _spellings(address: Path | Address) -> list[str]:
    """Every address means those of IPv6 too; systemd leaves them out where the kernel has none."""
    if isinstance(address, Address) and not address.host:
        return [f"0.0.0.0:{address.port}", f"[::]:{address.port}"]
    return [str(address)]


def _apart(addresses: Sequence[Path | Address], setting: str) -> list[Node]:
    if not any(isinstance(one, Address) and not one.host for one in addresses):
        return []
    why = "on one socket for both, a client of IPv4 would have an address of IPv6"
    return [directive("BindIPv6Only", "ipv6-only", why=why, setting=setting)]


def _before_the_network(addresses: Sequence[Path | Address], setting: str) -> list[Node]:
    """Sockets are made long before a network is up, and one that failed is not tried again."""
    if not any(isinstance(one, Address) and one.is_on_a_network for one in addresses):
        return []
    why = "it is made before the host has its addresses"
    return [directive("FreeBind", "yes", why=why, setting=setting)]
