"""Groups of application servers, and the cookie that binds a client to one of them.

Manual: https://nginx.org/en/docs/http/ngx_http_upstream_module.html. Its directive ``sticky`` is in
every edition since 1.29.6; a group for each application server does the same in every version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import IDLE, route_attributes, routes
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx.dialect import Version, shared_name, variable
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive
from django_deploykit.config.values import Backend

# So many requests go to one that serves before one goes to a backup.
_FIRST = 1000

_WHY_BOUND = "a client stays where it was; where that fails, another one answers"


def chosen(plan: Plan, site: SiteFacts) -> str:
    """The group of application servers that gets a request of ``site``."""
    return variable(plan, "upstream").text if plan.sticks else shared_name(plan.name(site))


def groups(plan: Plan) -> list[Node]:
    """Where the application servers listen; they stand at http level."""
    nodes: list[Node] = [Comment("Application servers")]
    for part in plan.each():
        (site,) = part.sites
        servers = [_server(part, one) for one in part.backends(site)]
        nodes.append(_group(part, shared_name(part.name(site)), servers))
        nodes += _bound_groups(part, site)
    return nodes


def _group(plan: Plan, name: str, servers: list[Node]) -> Node:
    children = [*_together(plan, name), *servers, *kept(plan)]
    return block("upstream", name, children=children, why="named once, for every location")


def _together(plan: Plan, name: str) -> Iterator[Node]:
    """How several servers are one."""
    if not plan.balances:
        return
    # The name alone is that of the cache of TLS sessions, where a site has one.
    why = "all worker processes of nginx know which one has failed, and how busy each is"
    yield directive("zone", f"{name}_upstream", Raw("64k"), why=why)
    if plan.deployment.balance == "least-connections":
        yield directive("least_conn", why="the one with the fewest requests", setting="balance")


def _server(plan: Plan, backend: Backend) -> Node:
    where, role = backend.where, backend.role
    name = f"unix:{where}" if isinstance(where, Path) else str(where)
    if not plan.balances:
        why = "where the application server listens; one that was away is asked again at once"
        return directive("server", name, Raw("max_fails=0"), why=why, setting="socket")
    words = [f"weight={backend.weight}"] if backend.weight > 1 else []
    words += [f"max_fails={limits.BACKEND_FAILURES}", f"fail_timeout={limits.BACKEND_AWAY}s"]
    words += [{"drain": "down"}.get(role, role)] if role else []
    why = "where one listens; after some failures it is left alone for a while, then asked again"
    return directive("server", name, *map(Raw, words), why=why, setting="backends")


def kept(plan: Plan) -> list[Node]:
    """Since 1.29.7 connections are kept unless this is said, which before would be an error."""
    if not Version.of(plan.deployment).at_least(1, 29, 7):
        return []
    return [directive("keepalive", 0, why=IDLE)]


def _bound_groups(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    """For each route the same servers, of which all others are the backup."""
    for route, bound in routes(plan, site):
        servers = [
            _server(plan, replace(one, role="") if one is bound else _instead(one))
            for one in plan.backends(site)
        ]
        yield _group(plan, f"{shared_name(site.name)}_{route}", servers)


def _instead(backend: Backend) -> Backend:
    """For clients that are bound to another one. nginx knows one kind of backup, so that weight
    alone sets what is a backup for everybody behind those that serve."""
    if backend.serves:
        return replace(backend, role="backup", weight=_FIRST * backend.weight)
    return backend


def route_maps(plan: Plan) -> list[Node]:
    """Which group a client's cookie leads to, and what cookie it gets; they stand at http level.

    What a client makes up leads to the group for all.
    """
    nodes: list[Node] = []
    for site in plan.sites if plan.sticks else ():
        nodes += [
            Comment("Which application server a client is bound to, by a cookie of nginx's own."),
            _upstream_map(plan, site),
            _route_map(plan, site),
            _cookie_map(plan, site),
        ]
    return nodes


def _upstream_map(plan: Plan, site: SiteFacts) -> Node:
    group = shared_name(site.name)
    groups = {"default": group}
    groups |= {f'"{route}"': f"{group}_{route}" for route, _ in routes(plan, site)}
    children: list[Node] = [
        directive(key, value, why=_WHY_BOUND, setting="sticky") for key, value in groups.items()
    ]
    where = Raw(f"$cookie_{contract.route_cookie(site.name)}"), variable(plan, "upstream")
    return block("map", *where, children=children, why=_WHY_BOUND, setting="sticky")


def _route_map(plan: Plan, site: SiteFacts) -> Node:
    """The route of whoever answered: the last of the servers that were tried."""
    why = "which server answered"
    children: list[Node] = [directive("default", "", why="one that binds nobody")]
    for route, bound in routes(plan, site):
        unix = isinstance(bound.where, Path)
        where = nginx.regex(f"unix:{bound.where}" if unix else str(bound.where))
        key = nginx.literal(f"~(?:^| ){where}$")
        children.append(directive(key, str(route), why=why, setting="backends"))
    source = Raw("$upstream_addr"), variable(plan, "route")
    return block("map", *source, children=children, why=why, setting="sticky")


def _cookie_map(plan: Plan, site: SiteFacts) -> Node:
    name, route = contract.route_cookie(site.name), variable(plan, "route").text
    cookie = f'"{name}={route}; {route_attributes(site)}"'
    why = "a cookie for a client that has none, or one of another server"
    children: list[Node] = [
        directive("default", Raw(cookie), why=why, setting="sticky"),
        directive(nginx.literal(r"~^(.*) \1$"), "", why="it has this one already"),
        directive(nginx.literal("~ $"), "", why="nobody is bound to whoever answered"),
    ]
    where = Raw(f'"$cookie_{name} {route}"'), variable(plan, "cookie")
    return block("map", *where, children=children, why=why, setting="sticky")


def route_header(plan: Plan, hsts: list[Node]) -> list[Node]:
    """Inside of a location that hands on: the cookie, and again what this list would drop."""
    if not plan.sticks:
        return []
    why = "an absent value adds no header; see the maps"
    cookie = variable(plan, "cookie")
    own = directive("add_header", "Set-Cookie", cookie, "always", why=why, setting="sticky")
    return [*hsts, own]
