"""What the URLconf says about the URLs that a web server is to answer itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, Resolver404, URLResolver, get_resolver, reverse
from django.views.static import serve

from django_deploykit.config import findings
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.introspect.context import Context, is_elsewhere, key

_ROUTE = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/\Z")


def routes(context: Context) -> tuple[str, ...]:
    """The URL prefixes that Django answers; empty means every URL."""
    raw = context.site.get("ROUTES", ())
    for route in raw:
        if not _ROUTE.match(str(route)):
            context.find(findings.BAD_ROUTE, key("ROUTES"), f"{route!r} is not such a path.")
    return tuple(str(route) for route in raw)


def check(context: Context, facts: SiteFacts) -> None:
    """Report routes that a file of the web server shadows, and URLs that leave the prefix."""
    _check_shadows(context, facts)
    if facts.prefix:
        _check_prefix(context, facts.prefix)


def _check_shadows(context: Context, facts: SiteFacts) -> None:
    mounts = [
        *(facts.static.mounts if facts.static else ()),
        *([facts.media] if facts.media else []),
    ]
    patterns = list(_literal_routes())
    for mount in mounts:
        for route in patterns:
            if f"{facts.prefix}/{route}".startswith(mount.url):
                message = f"the route {route!r} lies below {mount.url!r}."
                context.find(findings.SHADOWED_ROUTE, mount.setting, message)
    for file in facts.root_files:
        if not facts.prefix and _resolves(file.url):
            message = f"{file.url!r} is a route of the URLconf too."
            context.find(findings.SHADOWED_ROUTE, "ROOT_FILES", message)


def _literal_routes() -> Iterator[str]:
    try:
        yield from _walk(get_resolver(), "")
    except (ImproperlyConfigured, ImportError):
        return  # 'manage.py check' reports a broken URLconf; it has no routes to shadow.


def _walk(resolver: URLResolver, before: str) -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLResolver):
            yield from _walk(entry, route)
        elif entry.callback is not serve:
            yield route


def _resolves(url: str) -> bool:
    """Tell whether a route of its own, not a catch-all, answers this URL."""
    try:
        match = get_resolver().resolve(url)
    except (Resolver404, ImproperlyConfigured, ImportError):
        return False
    return match.route.strip("^$\\").replace("\\.", ".") == url.lstrip("/")


def _check_prefix(context: Context, prefix: str) -> None:
    settings = context.settings
    for name in ("LOGIN_URL", "LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL"):
        value = getattr(settings, name)
        if value and _leaves(str(value), prefix):
            message = f"{value!r} leads outside of the prefix {prefix!r}."
            context.find(findings.OUTSIDE_PREFIX, name, message)
    for name in ("STATIC_URL", "MEDIA_URL"):
        url = context.unprefixed(name) or ""
        if url.startswith("/") and _leaves(url, prefix):
            message = f"{url!r} lies outside of the prefix {prefix!r}."
            context.find(findings.OUTSIDE_PREFIX, name, message)
    for name in ("SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"):
        if not getattr(settings, name).startswith(prefix):
            message = f"{getattr(settings, name)!r} sends the cookie to every site of the host."
            context.find(findings.COOKIE_PATH, name, message)


def _leaves(url: str, prefix: str) -> bool:
    """Tell whether a path, or the name of a URL, does not begin with the prefix."""
    if is_elsewhere(url):
        return False
    try:
        reverse(url)
    except (NoReverseMatch, ImproperlyConfigured, ImportError):
        return url.startswith("/") and not f"{url.rstrip('/')}/".startswith(f"{prefix}/")
    return False
