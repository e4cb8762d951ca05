"""Addresses: where httpd listens, and the hosts of an address."""

from __future__ import annotations

from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive
from django_deploykit.config.values import Address

# Ports for which every distribution's own configuration already has a Listen line.
_DISTRIBUTION_PORTS = (80, 443)


def listen(plan: Plan, addresses: tuple[Address, ...], choice: str) -> list[Node]:
    """The addresses for which no distribution's own configuration listens."""
    why = "the server's own configuration listens only on 80 and 443"
    own = [one for one in addresses if one.host or one.port not in _DISTRIBUTION_PORTS]
    nodes: list[Node] = [
        directive("Listen", Raw(str(one).removeprefix("*:")), setting=choice, why=why)
        for one in own
    ]
    if not Version.of(plan.deployment).modern:
        nodes += _name_virtual_host(addresses, choice)
    return [Comment(f"Addresses ({choice})"), *nodes] if nodes else []


def _name_virtual_host(addresses: tuple[Address, ...], choice: str) -> list[Node]:
    why = "Apache 2.2 tells hosts of one address apart only when told to"
    return [
        directive("NameVirtualHost", Raw(str(address)), why=why, setting=choice)
        for address in addresses
    ]


def virtual_host(addresses: tuple[Address, ...], children: list[Node], why: str) -> Node:
    """A host at these addresses."""
    where = tuple(Raw(str(address)) for address in addresses)
    return block("VirtualHost", *where, children=children, why=why, setting="listen")
