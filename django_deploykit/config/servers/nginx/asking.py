"""An authorizer, asked by nginx over FastCGI for each request of an area.

Manual: https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html. nginx knows the role of a
responder alone; that is by what the authorizer tells that ``auth_request`` asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import limits
from django_deploykit.config.facts import Area, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import directives, gateways, upstreams
from django_deploykit.config.servers.nginx.dialect import shared_name
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive


def groups(plan: Plan) -> list[Node]:
    """Where the authorizers listen; they stand at http level."""
    nodes = [_group(plan, site) for site in plan.asking()]
    return [Comment("Who knows the users of areas"), *nodes] if nodes else []


def _group(plan: Plan, site: SiteFacts) -> Node:
    where = plan.authorizers[site.name]
    address = f"unix:{where}" if isinstance(where, Path) else str(where)
    again = "where the authorizer listens; one that was away is asked again at once"
    children: list[Node] = [
        directive("server", address, Raw("max_fails=0"), why=again, setting="authorizer"),
        *upstreams.kept(plan),
    ]
    return block("upstream", _name(site), children=children, why="named once, for every area")


def _name(site: SiteFacts) -> str:
    return f"{shared_name(site.name)}_authorizer"


def location(plan: Plan, site: SiteFacts, sites: Sequence[SiteFacts], area: Area) -> Node:
    """Where nginx asks about the policy of an area. The authorizer reads the password, and what
    else a client sends; of what only a server may say, nothing is the client's."""
    asked = replace(plan, gateway="fastcgi")
    reader = replace(site, needs_authorization=True, environ=())
    why = "only nginx asks, about a request that it holds"
    children = [
        directive("internal", why=why),
        directive("fastcgi_pass", Raw(_name(site)), why="the authorizer", setting="authorizer"),
        *gateways.without_body(asked, gateways.request(asked, reader, sites)),
        directives.parameter(asked, contract.AUTH_POLICY_KEY, area.policy, setting=area.setting),
        directives.parameter(asked, contract.SITE_KEY, site.name, setting=area.setting),
        *_conduct(plan),
    ]
    url = contract.asking_url(site.prefix, area.policy)
    return block("location", Raw("="), url, children=children, why=why, setting=area.setting)


def _conduct(plan: Plan) -> list[Node]:
    seconds, away = Raw(f"{limits.front_timeout(plan.deployment)}s"), "it answers, or is away"
    large = "groups are told in a header; one that does not fit would be an error"
    return [
        Comment("Time, and room."),
        directive("fastcgi_keep_conn", "off", why="auth_request would use none of them again"),
        directive("fastcgi_connect_timeout", Raw(f"{limits.CONNECT}s"), why=away),
        directive("fastcgi_send_timeout", seconds, why=away, setting="request_timeout"),
        directive("fastcgi_read_timeout", seconds, why=away, setting="request_timeout"),
        directive("fastcgi_next_upstream", "off", why="there is one"),
        directive("fastcgi_buffer_size", Raw("16k"), why=large),
        directive("fastcgi_buffers", 8, Raw("16k"), why="none is smaller than that of headers"),
    ]
