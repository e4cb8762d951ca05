"""Websockets: where the application takes them a connection may become one, and nowhere else."""

from __future__ import annotations

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import IDLE
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.servers.nginx.directives import header
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive

# Why what is no websocket says "Connection: close".
CLOSED = f"{IDLE}; kept by default since 1.29.7"


def upgrade_maps(plan: Plan) -> list[Node]:
    """What Upgrade and Connection say to the application server: a websocket, where the
    application takes one and the client asks for one, and nothing else ever."""
    nodes: list[Node] = []
    for site in plan.sites:
        if plan.websockets(site):
            nodes += [
                Comment(f"Websockets of {site.name}: only here may a connection become one."),
                _upgrade_map(plan, site),
                _connection_map(plan, site),
            ]
    return nodes


def _upgrade_map(plan: Plan, site: SiteFacts) -> Node:
    why, setting = "this URL takes websockets", "ASGI_APPLICATION"
    children: list[Node] = [directive("default", "", why="no other protocol")]
    for url in plan.websockets(site):
        rest = ".*" if url.endswith("/") else ""
        pattern = f"~^{nginx.regex(site.prefix + url)}{rest} (?i:websocket)$"
        children.append(directive(nginx.literal(pattern), "websocket", why=why, setting=setting))
    # The path first: what a client puts into the header cannot come before it.
    where = Raw('"$uri $http_upgrade"'), _upgrade(plan, site)
    return block("map", *where, children=children, why=why, setting=setting)


def _connection_map(plan: Plan, site: SiteFacts) -> Node:
    children: list[Node] = [
        directive("default", "upgrade", why="RFC 9110 7.8"),
        directive('""', "close", why=CLOSED),
    ]
    where = _upgrade(plan, site), _upgrade(plan, site, "closing")
    return block("map", *where, children=children, why="it goes with Upgrade")


def _upgrade(plan: Plan, site: SiteFacts, name: str = "upgrade") -> Raw:
    return variable(plan, f"{name}{plan.sites.index(site) or ''}")


def upgrading(plan: Plan, site: SiteFacts) -> list[Node]:
    """What the application server is told of an upgrade; nothing for a site without websockets."""
    if not plan.websockets(site):
        return []
    why = "what the client may ask for at this URL; see the maps"
    return [
        header("Upgrade", _upgrade(plan, site), why),
        header("Connection", _upgrade(plan, site, "closing"), why),
    ]
