"""Names of hosts, in the spelling of ServerName and ServerAlias."""

from __future__ import annotations

from django_deploykit.config.fronts import Group
from django_deploykit.config.syntax.nodes import Argument, Node, Raw, directive


def server_names(group: Group) -> list[Node]:
    """The directives that say under which names a host answers."""
    setting = group.hosts.setting
    names = [spelling for name in group.hosts.names for spelling in spellings(name)]
    first = f"{group.name}.invalid" if group.hosts.anything else names.pop(0)
    why = "the name in redirects that Apache makes"
    nodes: list[Node] = [directive("ServerName", first, why=why, setting=setting)]
    if names:
        why = "the other names of the site"
        nodes.append(directive("ServerAlias", *map(bare, names), why=why, setting=setting))
    return nodes


def bare(name: str) -> Argument:
    """A name as it stands in ServerAlias."""
    # A validated host name; brackets of an IPv6 address must not be quoted away.
    return Raw(name)


def spellings(name: str) -> list[str]:
    """The names that a name of Django's stands for: ``.example.com`` has two."""
    return [name[1:], f"*{name}"] if name.startswith(".") else [name]
