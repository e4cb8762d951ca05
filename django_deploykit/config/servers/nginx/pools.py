"""Which of a site's processes answer a URL: decided by the very path that Django sees.

A location is chosen by a path that is decoded and without dots. Over uwsgi, FastCGI and SCGI Django
is told that one; over HTTP it gets the client's own, and takes dots for names: "/reports/../x" would
be answered by the processes for "/x", with a page below "/reports/".
"""

from __future__ import annotations

from collections.abc import Iterator

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import Group
from django_deploykit.config.renderer import Plan
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive

_SETTING = "DEPLOYKIT['SITE']['POOLS']"
_SLASH = "(?:/|%2f)"
# Up to the end of the path: what stands behind it is no path to anybody.
_DOTS = rf"~*^[^?#]*{_SLASH}(?:\.|%2e){{1,2}}(?:{_SLASH}|[?#]|$)"


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


def dots_map(plan: Plan) -> list[Node]:
    """Whether the path that a client wrote has a segment of dots; it stands at http level."""
    if plan.gateway != "http" or not any(site.pools for site in plan.sites):
        return []
    why = "nginx resolves it before it chooses a location, and Django does not"
    children: list[Node] = [
        directive("default", "", why="what every client sends", setting=_SETTING),
        directive(nginx.literal(_DOTS), "1", why=why, setting=_SETTING),
    ]
    where = Raw("$request_uri"), variable(plan, "dots")
    remark = "A path with '/../' or '/./' in it, in any spelling, which clients resolve themselves."
    return [Comment(remark), block("map", *where, children=children, why=why, setting=_SETTING)]


def without_dots(plan: Plan, group: Group) -> list[Node]:
    """400 for such a path, on the hosts of sites with pools."""
    if plan.gateway != "http" or not any(site.pools for site in group.sites):
        return []
    why = "the path by which processes are chosen is the one that Django sees"
    test = Raw(f"({variable(plan, 'dots').text})")
    refusal = directive("return", 400, why=why, setting=_SETTING)
    return [block("if", test, children=[refusal], why=why, setting=_SETTING)]
