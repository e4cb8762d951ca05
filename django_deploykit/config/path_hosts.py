"""Path-encoded virtual hosts: a front writes scheme, host and port in front of every path.

For an application that reads them there, as Nevow's and Twisted's VHostMonster do:
``/<marker>/<http|https>/<host:port>/<the path>``, in which the path keeps the site's prefix. Or as
Zope's does, if the marker is Zope's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError

DENIED = "whoever writes the marker could claim any host: it is this server's alone to write"


def each_name(plan: Plan, found: list[Group]) -> list[Group]:
    """One group for each name, where the name is written into the path; else ``found``.

    The name is that of the settings, never what a client sent. Raise ChoiceError where that
    cannot be: for a name that stands for many, and for more than one port of a scheme.
    """
    if not plan.deployment.vhost_path:
        return found
    _check_urls(plan)
    for group in found:
        _check_names(group)
        _check_port(plan.deployment.listen, "listen")
        _check_port(plan.deployment.tls_listen, "tls_listen")
    return [
        replace(group, hosts=replace(group.hosts, names=(name,)))
        for group in found
        for name in group.hosts.names
    ]


def in_path(plan: Plan, group: Group, *, secure: bool) -> Plan:
    """The plan, with what stands in front of every path of a group that has one name."""
    marker, deployment = plan.deployment.vhost_path, plan.deployment
    if not marker:
        return plan
    addresses, scheme = (deployment.tls_listen, "https") if secure else (deployment.listen, "http")
    host = f"{group.hosts.names[0]}:{addresses[0].port}"
    root = contract.ZOPE_ROOT if marker == contract.ZOPE_MARKER else ""
    return replace(plan, path_host=f"/{marker}/{scheme}/{host}{root}")


def pattern(marker: str) -> str:
    """A pattern for the URLs that no client may ask for, in any case of letters."""
    return rf"(?i)^/+{marker}(?:/|$)"


def warnings(plan: Plan) -> list[str]:
    """What the choice asks of the application."""
    if not plan.deployment.vhost_path:
        return []
    return [
        "vhost_path: the application has to take scheme, host and port out of the path, as "
        "Twisted's VHostMonsterResource does. The emitted WSGI script does not: it answers 404."
    ]


def _check_names(group: Group) -> None:
    for name in group.hosts.names:
        if name.startswith((".", "*", "[")):
            raise ChoiceError(
                f"vhost_path: {name!r} of {group.hosts.setting} cannot be written into the path, "
                "which holds one name and no IPv6 address. Name each host in "
                "DEPLOYKIT['SITE']['HOSTS']."
            )


def _check_port(addresses: Iterable[Address], choice: str) -> None:
    ports = sorted({address.port for address in addresses})
    if len(ports) > 1:
        listed = " and ".join(map(str, ports))
        raise ChoiceError(
            f"vhost_path: {choice} has the ports {listed}, and the path can hold one. "
            "Listen on one port."
        )


def _check_urls(plan: Plan) -> None:
    marker = str(plan.deployment.vhost_path)
    for site in plan.sites:
        for url in _urls(site):
            if url.strip("/").partition("/")[0].lower() == marker.lower():
                raise ChoiceError(
                    f"vhost_path={marker!r}: {site.name} has the URL {url!r}, which would be "
                    "denied. Choose another marker, best a long random one."
                )


def _urls(site: SiteFacts) -> Iterator[str]:
    yield site.prefix
    yield from (f"{site.prefix}{route}" for route in site.routes)
    yield from (pool.url for pool in site.pools)
    mounts = [*(site.static.mounts if site.static else ()), *site.protected]
    yield from (mount.url for mount in (*mounts, *([site.media] if site.media else [])))
    yield from (file.url for file in site.root_files)
