"""Which location of a host answers a URL."""

from __future__ import annotations

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import (
    areas,
    conduct,
    content,
    gateways,
    pools,
    tls,
    upstreams,
)
from django_deploykit.config.syntax.nodes import (
    Comment,
    Node,
    Raw,
    block,
    directive,
)


def shared_passing(plan: Plan, group: Group) -> list[Node]:
    """For a single site: what is said to the application, once for all of its locations."""
    return gateways.passing(plan, group.sites[0], group.sites) if len(group.sites) == 1 else []


def django(plan: Plan, group: Group, site: SiteFacts, *, secure: bool = True) -> list[Node]:
    """Inside a location: with several sites each says all of it, as one list drops another."""
    own = conduct.patience(plan) if plan.pool else []
    if len(group.sites) > 1:
        own = gateways.passing(plan, site, group.sites)
    hsts = tls.hsts(group) if group.tls else []
    # Beside TLS the cookie is for TLS alone.
    cookie = upstreams.route_header(plan, hsts) if secure else []
    return [gateways.target(plan, site), *own, *cookie]


def locations(plan: Plan, group: Group) -> list[Node]:
    """All that answers a URL, and 404 for the rest."""
    hsts = tls.hsts(group) if group.tls else []
    nodes: list[Node] = []
    for site in group.sites:
        nodes += [*_slash(site), *content.serve(plan, site, hsts)]
        nodes += areas.serve(plan, site, group.sites, hsts)
    nodes.append(Comment("Django"))
    for site in group.sites:
        nodes += (_looked_up if plan.finds_files else _mounts)(plan, group, site)
    return [*nodes, *_nothing_else(group)]


def _slash(site: SiteFacts) -> list[Node]:
    if not site.prefix or site.routes:
        return []
    why = "relative links of the first page need the slash"
    # A validated prefix needs no escapes in a URL.
    url = Raw(f"{site.prefix}/$is_args$args")
    go = directive("return", 301, url, why=why, setting=site.prefix_setting)
    return [
        Comment(f"The bare prefix {site.prefix}"),
        block("location", Raw("="), site.prefix, children=[go], why=why),
    ]


def _looked_up(plan: Plan, group: Group, site: SiteFacts) -> list[Node]:
    """Files wherever they exist, and Django under a name that both ways lead to."""
    children, setting = django(plan, group, site), site.prefix_setting
    hsts, name = tls.hsts(group) if group.tls else [], f"@{site.name}"
    files = content.found_files(plan, site, hsts, name)
    why = f"the site {site.name!r} answers here"
    url = f"{site.prefix}/"
    return [
        block("location", url, children=[*children, files], why=why, setting=setting),
        block("location", Raw(name), children=children, why="where no file was found"),
    ]


def _mounts(plan: Plan, group: Group, site: SiteFacts) -> list[Node]:
    usual = "DEPLOYKIT['SITE']['ROUTES']" if site.routes else site.prefix_setting
    nodes: list[Node] = []
    for url, part in pools.urls(plan, site).items():
        children, setting = django(part, group, site), part.pool.setting if part.pool else usual
        why = f"the site {part.name(site)!r} answers here"
        if url != f"{site.prefix}/":
            bare = Raw("="), url.rstrip("/")
            nodes.append(block("location", *bare, children=children, why=why, setting=setting))
        nodes.append(block("location", url, children=children, why=why, setting=setting))
    return nodes


def _nothing_else(group: Group) -> list[Node]:
    """404 for URLs that belong to nobody, instead of the distribution's welcome page."""
    whole = any(not site.prefix and not site.routes for site in group.sites)
    if whole or any(site.documents for site in group.sites):
        return []
    nothing = directive("return", 404, why="otherwise the distribution's own pages would show")
    return [
        Comment("No other URL belongs to a site; see DEPLOYKIT['SITE']['DOCUMENTS']."),
        block("location", "/", children=[nothing], why="every other URL"),
    ]
