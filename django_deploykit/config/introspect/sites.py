"""Several sites on one server: each is read in an interpreter of its own.

Django has one set of settings in a process, and the point of SITES is that no site ever sees
another's. So each is read where nothing of the others is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import django

from django_deploykit import conf
from django_deploykit.config import findings
from django_deploykit.config.facts import Hosts, SiteFacts
from django_deploykit.config.findings import Finding
from django_deploykit.config.introspect.project import Introspection, introspect


def introspect_sites() -> tuple[list[SiteFacts], tuple[Finding, ...]]:
    """The facts of every site of DEPLOYKIT["SITES"], or of this one project, with findings."""
    sites = conf.read().sites
    if not sites:
        only = introspect()
        return ([only.facts] if only.facts else []), only.findings
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(_introspect_module, sites, sites.values()))
    facts = [result.facts for result in results if result.facts]
    return facts, tuple(f for result in results for f in result.findings) + _conflicts(facts)


def _introspect_module(name: str, site: Mapping[str, Any]) -> Introspection:
    """Read one site; runs in a process of its own, where no settings are configured yet."""
    place = f"DEPLOYKIT['SITES'][{name!r}]"
    module = site.get("settings")
    if not isinstance(module, str):
        return _failed(place, f"'settings' must name a settings module, not {module!r}.")
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    overrides = {key.upper(): site[key] for key in ("hosts", "prefix") if key in site}
    try:
        django.setup()
        result = introspect({"NAME": name, **overrides})
    except Exception as error:  # whatever a settings module may raise, reported with its site
        return _failed(place, f"{module!r} could not be read: {type(error).__name__}: {error}.")
    named = [replace(found, setting=f"{name}: {found.setting}") for found in result.findings]
    return Introspection(result.facts, tuple(named))


def _failed(place: str, message: str) -> Introspection:
    return Introspection(None, (Finding(findings.SITE_FAILED, place, message),))


def _conflicts(sites: list[SiteFacts]) -> tuple[Finding, ...]:
    return tuple(
        Finding(findings.SITES_CONFLICT, "DEPLOYKIT['SITES']", message)
        for index, site in enumerate(sites)
        for other in sites[index + 1 :]
        for message in _conflict(site, other)
    )


def _conflict(site: SiteFacts, other: SiteFacts) -> list[str]:
    if not _share_a_host(site.hosts, other.hosts):
        return []
    pair = f"{site.name!r} and {other.name!r}"
    if replace(site.hosts, setting="") != replace(other.hosts, setting=""):
        return [f"{pair} share some hosts but not all, so that no virtual host fits both."]
    if site.prefix == other.prefix and not (site.routes and other.routes):
        return [f"{pair} have the same hosts and the same prefix {site.prefix!r}."]
    return _shared_urls(site, other, pair)


def _shared_urls(site: SiteFacts, other: SiteFacts, pair: str) -> list[str]:
    urls = {mount.url for mount in (site.static.mounts if site.static else ())}
    urls |= {site.media.url} if site.media else set()
    theirs = {mount.url for mount in (other.static.mounts if other.static else ())}
    theirs |= {other.media.url} if other.media else set()
    return [f"{pair} both serve {url!r}." for url in sorted(urls & theirs)]


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
