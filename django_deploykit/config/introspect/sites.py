"""Several sites on one server, and what they must not have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

from django_deploykit import conf
from django_deploykit.config import findings
from django_deploykit.config.facts import Hosts, SiteFacts
from django_deploykit.config.findings import Finding
from django_deploykit.config.introspect import overlaps
from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.project import Introspection, configuration, introspect
from django_deploykit.contract import pool_name


def introspect_sites() -> tuple[list[SiteFacts], tuple[Finding, ...]]:
    """The facts of every site of DEPLOYKIT["SITES"], or of this one project, with findings."""
    sites = conf.read().sites
    if not sites:
        only = introspect()
        return ([only.facts] if only.facts else []), only.findings
    from django_deploykit.config.introspect.processes import introspect_each

    results = introspect_each(sites)
    facts = [result.facts for result in results if result.facts]
    found = [*configuration(), *(one for result in results for one in result.findings)]
    return facts, (*found, *_conflicts(facts), *_exposed(results))


def _conflicts(sites: list[SiteFacts]) -> tuple[Finding, ...]:
    return tuple(
        Finding(findings.SITES_CONFLICT, "DEPLOYKIT['SITES']", message)
        for site, other in combinations(sites, 2)
        for message in _conflict(site, other)
    )


def _conflict(site: SiteFacts, other: SiteFacts) -> list[str]:
    pair = f"{site.name!r} and {other.name!r}"
    if shared := _processes(site) & _processes(other):
        return [f"{pair} both have processes called {min(shared)!r}. Give a pool another name."]
    if not _share_a_host(site.hosts, other.hosts):
        return []
    if set(site.hosts.names) != set(other.hosts.names):
        return [f"{pair} share some hosts but not all, so that no virtual host fits both."]
    if site.hosts.names != other.hosts.names:
        return [f"{pair} name their hosts in different orders; the first is the main one."]
    if site.prefix == other.prefix and not (site.routes and other.routes):
        return [f"{pair} have the same hosts and the same prefix {site.prefix!r}."]
    lost = [*_lost(site, other), *_lost(other, site)]
    return [*_rest(site, other, pair), *_shared_urls(site, other, pair), *lost]


def _rest(site: SiteFacts, other: SiteFacts, pair: str) -> list[str]:
    """DOCUMENTS answer the rest of a host, which is there once, and only where no site has it."""
    if site.documents and other.documents:
        return [f"{pair} both have DOCUMENTS, for the rest of their host. Leave it to one."]
    return [
        f"{one.name!r} has DOCUMENTS, for the rest of a host that {whole.name!r} answers."
        for one, whole in permutations((site, other))
        if one.documents and whole.whole_host
    ]


def _exposed(results: list[Introspection]) -> Iterator[Finding]:
    """What one site serves to anybody, and another one keeps to itself. What is private to both,
    as a common environment, the first one's own findings name."""
    for one, other in permutations(results, 2):
        if one.facts and other.facts:
            context = Context({"ROOT_FILES": one.facts.root_files})
            private = [found for found in other.private if found not in one.private]
            overlaps.check_beside(context, one.facts, other.facts, private)
            for found in context.findings:
                yield replace(found, setting=f"{one.facts.name}: {found.setting}")


def _processes(site: SiteFacts) -> set[str]:
    """What the processes of a site are called."""
    return {site.name, *(pool_name(site.name, pool.name) for pool in site.pools)}


def _lost(site: SiteFacts, inner: SiteFacts) -> list[str]:
    """Pools whose URLs another site answers, because it lies below this one."""
    return [
        f"{pool.setting} of {site.name!r}: {pool.url!r} lies in {inner.name!r}."
        for pool in site.pools
        if len(inner.prefix) > len(site.prefix) and pool.url.startswith(f"{inner.prefix}/")
    ]


def _shared_urls(site: SiteFacts, other: SiteFacts, pair: str) -> list[str]:
    return [
        f"{pair} both serve {max(url, theirs, key=len)!r}."
        for url in _urls(site)
        for theirs in _urls(other)
        if _overlap(url, theirs)
    ]


def _urls(site: SiteFacts) -> list[str]:
    """Every URL that the server answers for this site itself, in order."""
    mounts = [*(site.static.mounts if site.static else ()), *site.protected]
    mounts += [site.media] if site.media else []
    urls = {mount.url for mount in mounts} | {file.url for file in site.root_files}
    urls |= {site.prefix + route for route in site.routes} | {pool.url for pool in site.pools}
    return sorted(urls)


def _overlap(one: str, other: str) -> bool:
    """Tell whether two URLs are the same, or one with a slash at its end holds the other."""
    return (
        one == other
        or (one.endswith("/") and other.startswith(one))
        or (other.endswith("/") and one.startswith(other))
    )


def _share_a_host(one: Hosts, other: Hosts) -> bool:
    if one.anything or other.anything or set(one.exact) & set(other.exact):
        return True
    names = [*one.exact, *one.suffixes], [*other.exact, *other.suffixes]
    return any(
        name == suffix[1:] or name.endswith(suffix)
        for suffixes, candidates in ((one.suffixes, names[1]), (other.suffixes, names[0]))
        for suffix in suffixes
        for name in candidates
    )
