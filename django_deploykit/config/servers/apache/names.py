"""Names of hosts, in the spelling of ServerName and ServerAlias."""

from __future__ import annotations

from django_deploykit.config.fronts import Group
from django_deploykit.config.syntax.nodes import Node, Raw, directive

_ANY = "*"


def server_names(group: Group) -> list[Node]:
    """The directives that say under which names a host answers."""
    names = [spelling for name in group.hosts.names for spelling in spellings(name)]
    first = [_ANY] if group.hosts.anything else []
    why = "the name in redirects that Apache makes"
    return naming(group, [*first, *names], why, "the other names of the site")


def naming(group: Group, names: list[str], why: str, others: str) -> list[Node]:
    """ServerName and ServerAlias: the first name is that of the host, if it can be one.

    Neither ``*`` nor an address of IPv6 can, with which httpd would not start.
    """
    setting, (first, *aliases) = group.hosts.setting, names
    if first == _ANY or first.startswith("["):
        first, aliases = f"{group.name}.invalid", names
    distinct = dict.fromkeys(map(_bare, aliases))
    nodes: list[Node] = [directive("ServerName", first, why=why, setting=setting)]
    if distinct:
        alias = directive("ServerAlias", *map(Raw, distinct), why=others, setting=setting)
        nodes.append(alias)
    return nodes


def _bare(name: str) -> str:
    """A validated name as it stands in ServerAlias: httpd compares an IPv6 address of the Host
    header without its brackets (fix_hostname in server/vhost.c)."""
    return name.removeprefix("[").removesuffix("]")


def spellings(name: str) -> list[str]:
    """The names that a name of Django's stands for: ``.example.com`` has two."""
    return [name[1:], f"*{name}"] if name.startswith(".") else [name]
