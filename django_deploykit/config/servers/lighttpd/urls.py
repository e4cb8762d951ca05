"""Who answers a URL: files, areas, Django below its prefix or routes, or nobody."""

from __future__ import annotations

from urllib.parse import quote

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import Group
from django_deploykit.config.path_hosts import in_path
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd import areas, content, gateway, vhost_path
from django_deploykit.config.servers.lighttpd.dialect import (
    URL,
    array,
    chain,
    otherwise,
    pair,
    when,
)
from django_deploykit.config.syntax.lighttpd import regex
from django_deploykit.config.syntax.nodes import (
    Block,
    Node,
    Raw,
    Substitution,
)


def answers(plan: Plan, group: Group, secure: bool) -> list[Node]:
    """Everything that answers a URL of these names, as one chain of conditions."""
    ordered = sorted(group.sites, key=lambda site: (-len(site.prefix), site.name))
    served = [one for site in ordered for one in _served(plan, site, secure)]
    plan = in_path(plan, group, secure=secure)
    return chain([*vhost_path.denied(plan), *served, *applications(plan, ordered, secure)])


def _served(plan: Plan, site: SiteFacts, secure: bool) -> list[Block]:
    return [*content.blocks(plan, site, secure), *areas.blocks(plan, site, secure)]


def applications(plan: Plan, sites: list[SiteFacts], secure: bool) -> list[Block]:
    """Django, below its prefix or routes; documents, or nothing, for the rest."""
    found = [_slash(site) for site in sites if site.prefix and not site.routes]
    for site in sites:
        found += [_pool(part, site, secure) for part in plan.with_pools(site) if part.pool]
        nodes = gateway.application(plan, site, secure)
        if site.whole_host:
            return [*found, otherwise(nodes, "hands every other URL to Django")]
        why = "hands these URLs to Django"
        found.append(when(URL, _own(site), nodes, why, site.prefix_setting))
    rest = [node for site in sites for node in content.documents(plan, site, secure)]
    return [*found, otherwise(rest, "documents")] if rest else found


def _pool(plan: Plan, site: SiteFacts, secure: bool) -> Block:
    url, setting = (plan.pool.url, plan.pool.setting) if plan.pool else ("/", "")
    why = "hands these URLs to processes of their own"
    nodes = gateway.application(plan, site, secure)
    return when(URL, f"^{regex(url.rstrip('/'))}(?:/|$)", nodes, why, setting)


def _own(site: SiteFacts) -> str:
    if not site.routes:
        return f"^{regex(site.prefix)}/"
    routes = "|".join(regex(route.strip("/")) for route in site.routes)
    return f"^{regex(site.prefix)}/(?:{routes})(?:/|$)"


def _slash(site: SiteFacts) -> Block:
    why = "relative links of the first page need the slash"
    target = pair(
        "",
        Substitution((f"{quote(site.prefix)}/",)),
        Raw('"${qsa}"'),
        why=why,
        setting=site.prefix_setting,
    )
    redirect = array("url.redirect", [target], why, site.prefix_setting)
    return when(URL, site.prefix, [redirect], why, site.prefix_setting, test="==")
