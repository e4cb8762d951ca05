"""Which of a site's processes answer a URL: decided by the very path that Django sees.

A location is chosen by a path that is decoded and without dots. Over uwsgi, FastCGI and SCGI Django
is told that one; over HTTP it gets the client's own, and takes dots for names: the page for
"/reports/../x" would come from the processes for "/x".
"""

from __future__ import annotations

from collections.abc import Iterator

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive

_SETTING = "DEPLOYKIT['SITE']['POOLS']"
_SLASH = "(?:/|%2f)"
# "#" ends a path for nginx, and not for every application server; no client sends one.
_UNLIKE = rf"~*^[^?#]*(?:#|{_SLASH}(?:\.|%2e){{1,2}}(?:{_SLASH}|\?|$))"


def urls(plan: Plan, site: SiteFacts) -> dict[str, Plan]:
    """At and below which URLs a site answers, each with the plan for those who do."""
    mounted = {f"{site.prefix}{route}": plan for route in site.routes or ("/",)}
    return {**mounted, **{pool.url: plan.of_pool(pool) for pool in site.pools}}


def patterns(plan: Plan, site: SiteFacts, exempt: list[str]) -> Iterator[tuple[str, Plan]]:
    """Patterns of URLs, for each pool and then for the rest: the first that fits decides."""
    for pool in site.pools:
        within = f"(?={nginx.regex(pool.url.rstrip('/'))}(?:/|$))"
        yield from ((f"^{within}{one.removeprefix('^')}", plan.of_pool(pool)) for one in exempt)
    yield from ((one, plan) for one in exempt)


def unlike_map(plan: Plan) -> list[Node]:
    """Whether nginx and Django see two paths in what a client wrote; it stands at http level."""
    if plan.gateway != "http" or not any(site.pools for site in plan.sites):
        return []
    why = "nginx chooses a location by another path than Django sees"
    children: list[Node] = [
        directive("default", "", why="what every client sends", setting=_SETTING),
        directive(nginx.literal(_UNLIKE), "1", why=why, setting=_SETTING),
    ]
    where = Raw("$request_uri"), variable(plan, "unlike")
    remark = "A path with '/../', '/./' or '#' in it, in any spelling; no client sends such a one."
    return [Comment(remark), block("map", *where, children=children, why=why, setting=_SETTING)]


def seen_alike(plan: Plan, group: Group) -> list[Node]:
    """400 for such a path, on the hosts of sites with pools."""
    if plan.gateway != "http" or not any(site.pools for site in group.sites):
        return []
    why = "the path by which processes are chosen is the one that Django sees"
    test = Raw(f"({variable(plan, 'unlike').text})")
    refusal = directive("return", 400, why=why, setting=_SETTING)
    return [block("if", test, children=[refusal], why=why, setting=_SETTING)]
