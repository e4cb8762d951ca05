"""Which URL of a host is answered by Django, by a file, or by nobody."""

from __future__ import annotations

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import areas, content, gateways, protected
from django_deploykit.config.servers.apache.dialect import Version, grant
from django_deploykit.config.syntax.apache import path_regex, regex
from django_deploykit.config.syntax.nodes import Comment, Node, block, directive

# A file that nobody makes.
_NOWHERE = "deploykit-belongs-to-no-site"


def answered_here(plan: Plan, group: Group) -> list[Node]:
    """What the server answers itself."""
    nodes: list[Node] = []
    for site in group.sites:
        nodes += [*_slash(plan, site), *content.serve(plan, site)]
        nodes += [*content.documents(plan, site, _not_django(group)), *areas.files(plan, site)]
    return nodes


def _not_django(group: Group) -> str:
    """A pattern that holds for no path at which Django surely answers."""
    mounts = [url for site in group.sites for url in site.mounts if url]
    return f"(?!(?:{'|'.join(map(regex, mounts))})(?:/|$))" if mounts else ""


def django_and_own(plan: Plan, group: Group) -> list[Node]:
    """Django, then the operator's own directives; but an Alias or exception from ProxyPass is
    the first that fits. Then 404 for what nobody answers."""
    own = [url for site in group.sites for url in _own_urls(plan, site)]
    mounted, include = django(plan, group, own), _include(plan, group)
    both = [*mounted, *include] if gateways.is_mod_wsgi(plan) else [*include, *mounted]
    return [*both, *_nothing_else(plan, group)]


def _own_urls(plan: Plan, site: SiteFacts) -> list[str]:
    """The URLs at and below which the server answers for a site, without asking Django."""
    mounts = [*plan.static_mounts(site), *([site.media] if site.media else [])]
    if protected.redirects(plan):
        mounts += site.protected
    guarded = [area.url for area in site.areas if area.directory]
    return [*(mount.url for mount in mounts), *guarded, *(file.url for file in site.root_files)]


def django(plan: Plan, group: Group, own: list[str]) -> list[Node]:
    """Where the sites are mounted, but for ``own`` URLs, and what the server tells them."""
    gateway = gateways.of(plan)
    nodes = [Comment("Django"), *gateway.mount(plan, group.sites, own)]
    nodes += gateway.request_environment(plan, group.sites)
    for site in group.sites:
        nodes += _environment(plan, group, site)
    # What stands further down wins: a protected file was asked about before Django named it.
    named = [node for site in group.sites for node in protected.named(plan, site)]
    return [*nodes, *areas.guards(plan, group.sites), *named]


def _environment(plan: Plan, group: Group, site: SiteFacts) -> list[Node]:
    """What only this site is told, be it alone under its names or not."""
    nodes = gateways.of(plan).site_variables(plan, site)
    if not nodes or len(group.sites) == 1:
        return nodes
    others = [url for other in group.sites if other is not site for url in other.mounts]
    why = f"only for the site {site.name!r}"
    return [block("LocationMatch", _urls_of(site, others), children=nodes, why=why)]


def _urls_of(site: SiteFacts, others: list[str]) -> str:
    """A pattern for the URLs of a site, but not for those of another one below it."""
    own = site.mounts
    nested = [url for url in others if any(url.startswith(f"{mount}/") for mount in own)]
    but = f"(?!{_any_of(nested)})" if nested else ""
    return f"^{but}{_any_of(own)}"


def _any_of(urls: list[str]) -> str:
    return f"(?:{'|'.join(path_regex(url) for url in urls)})(?:/|$)"


def _slash(plan: Plan, site: SiteFacts) -> list[Node]:
    if not site.prefix or site.routes:
        return []
    why, setting = "relative links of the first page need the slash", site.prefix_setting
    # RedirectMatch would lose the query, and Redirect alone would take every URL below too.
    redirect = directive(
        "Redirect", "permanent", site.prefix, f"{site.prefix}/", why=why, setting=setting
    )
    granted = grant(Version.of(plan.deployment), "it leads on, whatever file it might mean")
    pattern = f"^{path_regex(site.prefix)}$"
    return [
        Comment(f"The bare prefix {site.prefix}"),
        block("LocationMatch", pattern, children=[*granted, redirect], why=why, setting=setting),
    ]


def _nothing_else(plan: Plan, group: Group) -> list[Node]:
    """404 for URLs that belong to nobody, instead of the distribution's welcome page.

    As the last Alias, not as a redirect: a Redirect, an Alias or a handler of the operator's own
    comes before it.
    """
    whole = any(not site.prefix and not site.routes for site in group.sites)
    if whole or any(site.documents for site in group.sites):
        return []
    known = sorted({url.rstrip("/") for site in group.sites for url in _known_urls(plan, site)})
    outermost = [url for url in known if not any(url.startswith(f"{up}/") for up in known)]
    why = "otherwise the distribution's own pages would show"
    granted = grant(Version.of(plan.deployment), "a file that is not there is 404, and not 403")
    return [
        Comment("No other URL belongs to a site; see DEPLOYKIT['SITE']['DOCUMENTS']."),
        directive("AliasMatch", f"^(?!{_any_of(outermost)})/", f"/{_NOWHERE}", why=why),
        # httpd looks for no <Directory> below one that is not there.
        block("Files", _NOWHERE, children=granted, why=why),
    ]


def _known_urls(plan: Plan, site: SiteFacts) -> list[str]:
    urls = [mount.url for mount in (site.static.mounts if site.static else ())]
    urls += [site.media.url] if site.media else []
    urls += [area.url for area in site.areas]
    if protected.redirects(plan):  # A redirect within Apache is a URL like any other.
        urls += [mount.url for mount in site.protected]
    return [*site.mounts, *urls, *(file.url for file in site.root_files)]


def _include(plan: Plan, group: Group) -> list[Node]:
    if not Version.of(plan.deployment).modern:
        return []
    why = "your own directives, which are never touched"
    remark = "Your own directives; below ServerRoot (Debian: /etc/apache2), if there are any."
    if gateways.is_proxy(plan):
        remark += "\nA Redirect or Alias of your own needs 'ProxyPass /its/url/ !' beside it."
    return [
        Comment(remark),
        directive("IncludeOptional", f"deploykit/{group.name}/*.conf", why=why),
    ]
