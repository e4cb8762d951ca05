"""URLs with application processes of their own: SITE["POOLS"]."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django_deploykit.config import findings
from django_deploykit.config.deployment import parse_choices
from django_deploykit.config.facts import Pool, SiteFacts
from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.urls import is_route
from django_deploykit.exceptions import ChoiceError, unknown

# Those of a Deployment's choices that a pool has of its own.
CHOICES = ("processes", "request_timeout", "socket", "threads")
KEYS = ("name", *CHOICES)

# With the longest name of a site, the usual socket's path has the 107 bytes that fit (unix(7)).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,14}")

# What else of a site has a directory and a unit under its name.
_TAKEN = ("authorizer",)


def pools(context: Context, prefix: str) -> tuple[Pool, ...]:
    """Every pool, sorted by its URL."""
    raw, setting = context.site.get("POOLS", {}), context.key("POOLS")
    if not isinstance(raw, Mapping):
        context.find_type(setting, raw, "a dict of URLs and pools")
        return ()
    found = [_pool(context, setting, url, value, prefix) for url, value in raw.items()]
    for name, times in Counter(pool.name for pool in found if pool).items():
        if times > 1:
            message = f"{times} pools have the name {name!r}. Give each its own."
            context.find(findings.BAD_POOL, setting, message)
    return tuple(sorted((pool for pool in found if pool), key=lambda pool: pool.url))


def check(context: Context, facts: SiteFacts) -> None:
    """Report pools whose URLs do not get to Django."""
    routes = [f"{facts.prefix}{route}" for route in facts.routes]
    files = [file.url for file in facts.root_files]
    for pool in facts.pools:
        if routes and not any(pool.url.startswith(route) for route in routes):
            message = f"its URL {pool.url!r} is neither in {context.key('ROUTES')} nor below them."
            context.find(findings.BAD_POOL, pool.setting, message)
        if pool.url.rstrip("/") in files:
            message = f"its URL {pool.url.rstrip('/')!r} is that of a file of ROOT_FILES, too."
            context.find(findings.URL_CONFLICT, pool.setting, message)


def _pool(context: Context, setting: str, url: object, value: Any, prefix: str) -> Pool | None:
    here = f"{setting}[{url!r}]"
    if not isinstance(url, str) or not is_route(url):
        message = f"{url!r} is not such a path in plain ASCII letters, without '%', '//' or dots."
        context.find(findings.BAD_URL, setting, message)
    if not isinstance(value, Mapping):
        context.find_type(here, value, "a dict with at least a 'name'")
        return None
    for key in value:
        if key not in KEYS:
            _find(context, here, unknown("key", str(key), here, KEYS))
    return Pool(
        url=f"{prefix}{url}",
        name=_name(context, here, value.get("name")),
        setting=here,
        choices=_choices(context, here, {key: value[key] for key in CHOICES if key in value}),
    )


def _name(context: Context, here: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = (
            f"'name' is {name!r}, not up to 15 letters, digits, '_' and '-', of which the first is "
            "a letter or digit: files, sockets and units are called after it."
        )
        _find(context, here, message)
    elif name in _TAKEN:
        _find(context, here, f"'name' is {name!r}, which is taken. Choose another one.")
    return str(name)


def _choices(context: Context, here: str, raw: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    try:
        return tuple(sorted(parse_choices(raw, here).items()))
    except ChoiceError as error:
        for problem in error.problems:
            _find(context, here, problem)
        return ()


def _find(context: Context, here: str, message: str) -> None:
    context.find(findings.BAD_POOL, here, message.removeprefix(f"{here}: "))
