"""What the URLconf says about the URLs that a web server is to answer itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.staticfiles.views import serve as serve_static
from django.core.exceptions import ImproperlyConfigured
from django.urls import (
    NoReverseMatch,
    Resolver404,
    URLResolver,
    get_resolver,
    get_script_prefix,
    reverse,
)
from django.urls.resolvers import LocalePrefixPattern, RegexPattern
from django.utils.functional import Promise
from django.views.static import serve as serve_file

from django_deploykit.config import findings
from django_deploykit.config.facts import Endpoint, Mount, SiteFacts
from django_deploykit.config.introspect.context import Context, is_elsewhere

_ROUTE = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/\Z")

# Of the unreserved characters of RFC 3986: what no server reads as anything else.
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?\Z")

# What a regular expression begins with, up to its first syntax: plain characters, and escaped ones.
_PLAIN = re.compile(r"(?:[^\\.^$*+?{}\[\]|()<>]|\\[^A-Za-z0-9])*")
_LAST = re.compile(r"\\?.\Z", re.DOTALL)

# Views that stand in for the web server in development.
_DEVELOPMENT = (serve_file, serve_static)


def routes(context: Context) -> tuple[str, ...]:
    """The URL prefixes that Django answers; empty means every URL."""
    raw, setting = context.site.get("ROUTES", ()), context.key("ROUTES")
    if not isinstance(raw, (list, tuple)):
        context.find_type(setting, raw, "a list of URL prefixes")
        return ()
    for route in raw:
        if not is_route(str(route)):
            context.find(findings.BAD_ROUTE, setting, f"{route!r} is not such a path.")
    return tuple(str(route) for route in raw)


def is_route(url: str) -> bool:
    """Tell whether this is a path, with a slash at both ends, that all servers read alike."""
    return bool(_ROUTE.match(url))


def views() -> Iterator[Callable[..., Any]]:
    """Every view of the URLconf; none if it cannot be imported."""
    try:
        yield from (view for _, view in _walk(get_resolver(), ""))
    except Exception:  # An import may raise anything; check() reports it.
        return


def endpoints(context: Context, prefix: str) -> tuple[Endpoint, ...]:
    """The auth endpoints for servers that understand nothing but 200, 401 and 403. Only those that
    a site with areas needs are looked for, and only at URLs without a variable."""
    if not context.site.get("AUTH_AREAS"):
        return ()
    try:
        patterns: list[tuple[str, Any]] = list(_walk(get_resolver(), ""))
        return tuple(
            Endpoint(url=f"{prefix}/{route}", policy=str(view.view_class(**options).policy))
            for route, view in patterns
            for options in [getattr(view, "view_initkwargs", {})]
            if _is_endpoint(view) and _leads_to(f"/{route}", view)
        )
    except Exception:  # An import may raise anything; check() reports it.
        return ()


def login_url(context: Context, prefix: str) -> str:
    """Where people of areas log in, if that is a plain path of the site; else ''."""
    value = context.settings.LOGIN_URL
    if not context.site.get("AUTH_AREAS") or not _is_used(context, "LOGIN_URL", value):
        return ""
    try:
        url = f"{prefix}/{reverse(value).removeprefix(get_script_prefix())}"
    except Exception:  # It is no name of a URL; or the URLconf cannot be imported.
        url = str(value)
    return url if _PATH.match(url) else ""


def _is_endpoint(view: Callable[..., Any]) -> bool:
    """Tell whether this is an AuthRequestView; by its marks, because to import that one is to need
    the models of django.contrib.auth."""
    made = getattr(view, "view_class", None)
    options = getattr(view, "view_initkwargs", {})
    names = {f"{base.__module__}.{base.__name__}" for base in getattr(made, "__mro__", ())}
    dialect = options.get("dialect", getattr(made, "dialect", ""))
    return "django_deploykit.auth.views.AuthRequestView" in names and dialect == "nginx"


def _leads_to(url: str, view: Callable[..., Any]) -> bool:
    try:
        return bool(get_resolver().resolve(url).func is view)
    except Resolver404:
        return False


def check(context: Context, facts: SiteFacts) -> None:
    """Report routes that a file of the web server shadows, and URLs that leave the prefix."""
    try:
        patterns = list(_walk(get_resolver(), ""))
    except Exception as error:  # An import may raise anything.
        message = f"it cannot be read ({type(error).__name__}), so no route was looked at."
        context.find(findings.BAD_URLCONF, "ROOT_URLCONF", message)
        return
    routes = [route for route, view in patterns if view not in _DEVELOPMENT]
    for mount in (*(facts.static.mounts if facts.static else ()), facts.media):
        if mount:
            below = [one for one in routes if f"{facts.prefix}/{one}".startswith(mount.url)]
            _report_below(context, mount, below)
    for file in facts.root_files:
        if not facts.prefix and _resolves(file.url):
            message = f"{file.url!r} is a route of the URLconf too."
            context.find(findings.SHADOWED_ROUTE, "ROOT_FILES", message)
    if facts.prefix:
        _check_prefix(context, facts.prefix)


def _report_below(context: Context, mount: Mount, routes: list[str]) -> None:
    if not routes:
        return
    first, more = routes[0], len(routes) - 1
    others = f", and {more} more" if more else ""
    message = f"the route {first!r} lies below {mount.url!r}{others}."
    context.find(findings.SHADOWED_ROUTE, mount.setting, message)


def _walk(resolver: URLResolver, before: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every route, as far as it is plain text, with its view."""
    for entry in resolver.url_patterns:
        for plain in plain_text(entry.pattern):
            if isinstance(entry, URLResolver):
                yield from _walk(entry, before + plain)
            else:
                yield before + plain, entry.callback


def plain_text(pattern: Any) -> list[str]:
    """What a pattern begins with, up to its first variable; several for several languages."""
    if isinstance(pattern, LocalePrefixPattern):
        return _language_prefixes(pattern)
    route = str(pattern)
    if not isinstance(pattern, RegexPattern):
        return [route.partition("<")[0]]
    return [re.sub(r"\\(.)", r"\1", _beginning(route.removeprefix("^")))]


def _beginning(regex: str) -> str:
    """What all text begins with that a regular expression matches, as it is written there."""
    match = _PLAIN.match(regex)
    plain = match[0] if match else ""
    what_follows = regex[len(plain) : len(plain) + 1]
    if what_follows == "|":  # Other text begins in another way.
        return ""
    return _LAST.sub("", plain) if what_follows in ("?", "*", "{") else plain


def _language_prefixes(pattern: LocalePrefixPattern) -> list[str]:
    """i18n_patterns(): one prefix for each language, except perhaps for the default one."""
    from django.conf import settings

    bare = [] if pattern.prefix_default_language else [settings.LANGUAGE_CODE]
    codes = [code for code, _ in settings.LANGUAGES if code not in bare]
    return [*(f"{code}/" for code in codes), *("" for _ in bare)]


def _resolves(url: str) -> bool:
    """Tell whether a route of its own, not a catch-all, answers this URL."""
    try:
        match = get_resolver().resolve(url)
    except Exception:  # Resolver404; or a converter asks a database that is not there.
        return False
    return match.route.strip("^$").replace("\\", "") == url.lstrip("/")


def _check_prefix(context: Context, prefix: str) -> None:
    settings = context.settings
    for name, value in pages_outside(context, prefix):
        message = f"{value!r} leads outside of the prefix {prefix!r}."
        context.find(findings.OUTSIDE_PREFIX, name, message)
    for name in ("STATIC_URL", "MEDIA_URL"):
        url = context.as_written(name) or ""
        if _is_outside(url, prefix):
            message = f"{url!r} lies outside of the prefix {prefix!r}."
            context.find(findings.OUTSIDE_PREFIX, name, message)
    for name in ("SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"):
        path = getattr(settings, name) or ""  # None: the browser keeps it to the page's path.
        if _is_outside(path, prefix):
            message = f"{path!r} sends the cookie to every site of the host."
            context.find(findings.COOKIE_PATH, name, message)


def pages_outside(context: Context, prefix: str) -> Iterator[tuple[str, str]]:
    """The settings that lead to a page which does not lie below the prefix, with their values."""
    for name in ("LOGIN_URL", "LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL"):
        value = getattr(context.settings, name)
        if value and _is_used(context, name, value) and _leaves(value, prefix):
            yield name, str(value)


def _is_used(context: Context, name: str, value: Any) -> bool:
    """Django's default matters only to a project that has such a page."""
    return not context.is_default(name) or _resolves(str(value))


def _leaves(url: Any, prefix: str) -> bool:
    """Tell whether a path does not begin with the prefix; names of URLs always do."""
    if isinstance(url, Promise):
        return False  # reverse_lazy() puts the prefix in front when a request comes in.
    try:
        reverse(url)
    except (NoReverseMatch, ImproperlyConfigured):
        return _is_outside(str(url), prefix)
    return False


def _is_outside(url: str, prefix: str) -> bool:
    inside = f"{url.rstrip('/')}/".startswith(f"{prefix}/")
    return url.startswith("/") and not is_elsewhere(url) and not inside
