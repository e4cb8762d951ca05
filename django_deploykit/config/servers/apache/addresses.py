"""Addresses: where httpd listens, and the hosts of an address."""

from __future__ import annotations

from collections.abc import Sequence

from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive
from django_deploykit.config.values import Address

# Ports for which every distribution's own configuration already has a Listen line.
_DISTRIBUTION_PORTS = (80, 443)

# What no name of a ``Define`` may hold.
_NO_NAMES = str.maketrans(":", "-", "[]")


def listen(plan: Plan, addresses: tuple[Address, ...], choice: str) -> list[Node]:
    """The addresses at whose ports no distribution's own configuration listens."""
    why = "the server's own configuration listens only on 80 and 443"
    own = _bound([one for one in addresses if one.port not in _DISTRIBUTION_PORTS])
    if Version.of(plan.deployment).modern:
        nodes = [_once(one, why, choice) for one in own]
    else:
        nodes = [_listen(one, why, choice) for one in own]
        nodes += _name_virtual_host(addresses, choice)
    return [Comment(f"Addresses ({choice})"), *nodes] if nodes else []


def left_to_distribution(addresses: tuple[Address, ...]) -> list[Address]:
    """Those at ports where it listens, at every address: a second Listen for one would fail."""
    return [one for one in addresses if one.port in _DISTRIBUTION_PORTS]


def listening(addresses: Sequence[Address], why: str) -> list[Node]:
    """A Listen for each that needs one."""
    return [_listen(one, why) for one in _bound(addresses)]


def _bound(addresses: Sequence[Address]) -> list[Address]:
    """Each once, but for those that one for every address of the port includes."""
    every = {one.port for one in addresses if not one.host}
    return [one for one in dict.fromkeys(addresses) if not one.host or one.port not in every]


def _listen(address: Address, why: str, choice: str = "") -> Node:
    return directive("Listen", Raw(_port(address)), setting=choice, why=why)


def _once(address: Address, why: str, choice: str) -> Node:
    """The file of another project may name the same address, and httpd refuses a second Listen."""
    name = f"deploykit_listen_{_port(address)}".translate(_NO_NAMES)
    first = directive("Define", Raw(name), why="another file of this server sees it")
    both = [first, _listen(address, why, choice)]
    return block("IfDefine", Raw(f"!{name}"), children=both, why=why, setting=choice)


def _port(address: Address) -> str:
    """An address as ``Listen`` names it: every address of a port is the port alone."""
    return str(address).removeprefix("*:")


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
