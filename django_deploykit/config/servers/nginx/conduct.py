"""How nginx deals with an application server, whatever they speak: time, room, and who is next."""

from __future__ import annotations

from django_deploykit.config import limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx.directives import header, say
from django_deploykit.config.servers.nginx.websockets import CLOSED, upgrading
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, directive


def conduct(plan: Plan, site: SiteFacts) -> list[Node]:
    """How nginx deals with the application server, whatever they speak."""
    slow = "a slow download holds no worker; a stream says that it is one"
    away = "it answers at once, or is away"
    large = "large cookies; more than a page of headers would be a 502"
    return [
        Comment("Time, and room: nginx waits for slow clients, so that no worker has to."),
        *_connection(plan, site),
        say(plan, "connect_timeout", Raw(f"{limits.CONNECT}s"), why=away),
        *patience(plan),
        *_next(plan),
        say(plan, "request_buffering", "on", why="a slow upload holds no worker"),
        say(plan, "buffering", "on", why=slow),
        say(plan, "buffer_size", Raw("16k"), why=large),
        say(plan, "buffers", 8, Raw("16k"), why="a whole page fits in memory"),
    ]


def patience(plan: Plan) -> list[Node]:
    """How long nginx waits for the application server, which a pool may have of its own."""
    seconds, why = (
        Raw(f"{limits.front_timeout(plan.deployment)}s"),
        "the application gives up before nginx",
    )
    names = ("send_timeout", "read_timeout")
    return [say(plan, name, seconds, why=why, setting="request_timeout") for name in names]


def _next(plan: Plan) -> list[Node]:
    """Whether another application server is asked when one fails."""
    if not plan.balances:
        why = "there is one, and no request is sent twice"
        return [say(plan, "next_upstream", "off", why=why)]
    again = "asks another one; but never twice what may do something twice (non_idempotent)"
    late = "what ran for long and failed would only fail again"
    limit = Raw(f"{limits.BACKEND_AWAY}s")
    return [
        say(plan, "next_upstream", "error", "timeout", why=again, setting="backends"),
        say(plan, "next_upstream_timeout", limit, why=late, setting="backends"),
    ]


def _connection(plan: Plan, site: SiteFacts) -> list[Node]:
    if plan.gateway == "http":
        return [
            directive("proxy_http_version", Raw("1.1"), why="streams come in chunks"),
            *(upgrading(plan, site) or [header("Connection", "close", CLOSED)]),
            directive("proxy_redirect", "off", why="Django already knows its public address"),
        ]
    if plan.gateway == "fastcgi":
        return [
            directive("fastcgi_keep_conn", "off", why="a connection that idles holds no worker")
        ]
    return []
