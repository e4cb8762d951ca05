"""Where mod_proxy hands requests to: one application server, or several that share the work.

Manuals: https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxypass and mod_proxy_balancer.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import route_attributes, routes
from django_deploykit.config.plan import Plan
from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, directive
from django_deploykit.config.values import Backend
from django_deploykit.config.values import Version as Numbers
from django_deploykit.exceptions import UnrepresentableValue


@dataclass(frozen=True)
class Speaks:
    """What a gateway is called in URLs and modules, and the first httpd that has all of it."""

    scheme: str
    module: str
    since: Numbers


# Unix sockets came with 2.4.7; "RequestHeader set … expr=" with 2.4.10, mod_proxy_uwsgi with 2.4.30
# and ProxyFCGIBackendType with 2.4.26 (the line "Compatibility" of each in the manual).
SPEAKS = {
    "http": Speaks("http", "proxy_http", (2, 4, 10)),
    "uwsgi": Speaks("uwsgi", "proxy_uwsgi", (2, 4, 30)),
    "fastcgi": Speaks("fcgi", "proxy_fcgi", (2, 4, 26)),
    "scgi": Speaks("scgi", "proxy_scgi", (2, 4, 7)),
}

# httpd's words: least connections is least busy, and in turn is by the number of requests.
_METHODS = {"least-connections": "bybusyness", "round-robin": "byrequests"}

# A client has no route or another one, and whoever answers has one.
_BOUND_ANEW = "-n reqenv('BALANCER_ROUTE_CHANGED') && -n reqenv('BALANCER_WORKER_ROUTE')"

# What a member of a group is besides one that takes requests (mod_proxy, status).
_STATUS = {"backup": "+H", "drain": "+N"}


def modules(plan: Plan) -> set[str]:
    """What a group of application servers needs: its tables are in shared memory."""
    if not plan.balances:
        return set()
    return {"proxy_balancer", "slotmem_shm", f"lbmethod_{_METHODS[plan.deployment.balance]}"}


def passed(plan: Plan, site: SiteFacts, url: str, *, upgrade: bool) -> Node:
    """Hand a URL, with all below it, to the application server or servers of ``site``."""
    setting = "DEPLOYKIT['SITE']['ROUTES']" if site.routes else "WSGI_APPLICATION"
    setting = plan.pool.setting if plan.pool else setting
    if plan.balances:
        where = f"{_group_name(site, upgrade=upgrade)}{plan.path_host}{url}"
        why = "hands these URLs to the application servers"
        return directive("ProxyPass", url, where, setting=setting, why=why)
    return directive(
        "ProxyPass",
        url,
        _target(plan, plan.name(site), plan.backends(site)[0], f"{plan.path_host}{url}"),
        *_conduct(plan, upgrade=upgrade),
        setting=setting,
        why="hands these URLs to the application server; the application gives up before Apache, "
        "one that was away is asked again at once, and a connection that idles holds no worker",
    )


def _conduct(plan: Plan, *, upgrade: bool) -> Iterator[Raw]:
    """How Apache deals with one application server."""
    yield Raw(f"connectiontimeout={limits.CONNECT}")
    yield Raw(f"timeout={limits.front_timeout(plan.deployment)}")
    yield Raw(f"retry={limits.BACKEND_AWAY if plan.balances else 0}")
    yield Raw("disablereuse=On")
    if plan.gateway == "fastcgi":
        yield Raw("flushpackets=On")
    if upgrade:
        yield Raw("upgrade=websocket")


def _target(plan: Plan, name: str, backend: Backend, url: str = "") -> str:
    """Where an application server listens. A socket's name stands for it in Apache's table, so
    that it has to differ from socket to socket."""
    socket, scheme = backend.where, SPEAKS[plan.gateway].scheme
    if not isinstance(socket, Path):
        return f"{scheme}://{socket}{url}"
    if found := re.search(r"[?#|]", str(socket)):
        reason = f"{found[0]!r} ends the path of a socket in this place"
        raise UnrepresentableValue(str(socket), apache.name, reason, "socket")
    return f"unix:{socket}|{scheme}://{name}.invalid{url}"


def groups(plan: Plan, sites: Iterable[SiteFacts], upgraded: Iterable[bool]) -> Iterator[Node]:
    """The groups of application servers of a host; one for websockets has members of its own,
    because whether a connection may become one is said of a member."""
    if not plan.balances:
        return
    for site in sites:
        for upgrade in sorted(set(upgraded)):
            yield from _group(plan, site, _group_name(site, upgrade=upgrade), upgrade=upgrade)
        yield from _cookie(plan, site)


def _group(plan: Plan, site: SiteFacts, name: str, *, upgrade: bool) -> Iterator[Node]:
    yield Comment("Several application servers under one name")
    for number, one in enumerate(plan.backends(site), start=1):
        # One that is down stands here for its number alone: a member that cannot fail would keep
        # httpd from asking all others again once each has failed (forcerecovery).
        if one.role != "down":
            yield _member(plan, site, name, number, one, upgrade=upgrade)
    words = [f"lbmethod={_METHODS[plan.deployment.balance]}"]
    words += [] if _tells_unsent(plan) else ["maxattempts=0"]
    words += [f"stickysession={contract.route_cookie(site.name)}"] if plan.sticks else []
    why = "who is next, who is asked instead, and by which cookie a client is bound"
    yield directive("ProxySet", name, *map(Raw, words), why=why, setting="balance")


def _tells_unsent(plan: Plan) -> bool:
    """Whether httpd asks another one only for what it could not send. For what mod_proxy_fcgi has
    sent and got no answer to, it asks each of them in turn, be it a POST (measured, 2.4.71)."""
    return plan.gateway != "fastcgi"


def warnings(plan: Plan) -> list[str]:
    """What is lost with an application server that dies."""
    if not plan.balances or _tells_unsent(plan):
        return []
    return [
        "backends: with gateway 'fastcgi', Apache would send a POST that fails to one application "
        "server after another. It asks one alone now, so that the first request for one that has "
        "died is lost. With 'http', 'uwsgi' and 'scgi' none is."
    ]


def _group_name(site: SiteFacts, *, upgrade: bool) -> str:
    return f"balancer://{site.name}{'-websockets' if upgrade else ''}"


def _member(
    plan: Plan, site: SiteFacts, group: str, number: int, backend: Backend, *, upgrade: bool
) -> Node:
    bound = dict(routes(plan, site))
    words = [f"route={number}"] if number in bound else []
    words += [f"loadfactor={backend.weight}"] if backend.weight > 1 else []
    words += [f"status={_STATUS[backend.role]}"] if backend.role else []
    return directive(
        "BalancerMember",
        group,
        _target(plan, f"{number}.{site.name}", backend),
        *map(Raw, words),
        *_conduct(plan, upgrade=upgrade),
        why="one that cannot be reached is left alone for a while (retry), then asked again; it is "
        "not asked twice what it has begun; a connection that idles holds no worker",
        setting="backends",
    )


def _cookie(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    """The cookie that binds a client, where it has none or another one."""
    if not plan.sticks:
        return
    name = contract.route_cookie(site.name)
    value = Raw(f'"{name}=.%{{BALANCER_WORKER_ROUTE}}e; {route_attributes(site)}"')
    yield Comment("Which application server a client is bound to, by a cookie of Apache's own.")
    why = "what a client makes up leads to any of them, as no cookie does"
    condition = Raw(f'"expr={_BOUND_ANEW}"')
    yield directive(
        "Header", "always", "add", "Set-Cookie", value, condition, why=why, setting="sticky"
    )
