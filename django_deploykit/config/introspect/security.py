"""TLS, security headers, credentials and limits: who says what to whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.middleware.security import SecurityMiddleware

from django_deploykit import contract, trust
from django_deploykit.config import findings
from django_deploykit.config.facts import Hosts, Limits, SecurityHeaders, SiteFacts, Tls
from django_deploykit.config.introspect import proxy
from django_deploykit.config.introspect.application import is_middleware
from django_deploykit.config.introspect.context import Context
from django_deploykit.exceptions import unknown

# Debian's document root, which certbot's --webroot is commonly given; nothing else is served.
DEFAULT_ACME_WEBROOT = "/var/www/html"
_TLS_NEEDED = ("CERTIFICATE", "KEY")
_TLS_KEYS = (*_TLS_NEEDED, "ACME_WEBROOT")


def tls(context: Context) -> Tls | None:
    """The certificate and key of SITE, if this server is to end TLS."""
    raw, setting = context.site.get("TLS"), context.key("TLS")
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        context.find_type(setting, raw, "a dict")
        return None
    for name in raw:
        if name not in _TLS_KEYS:
            message = unknown("key", str(name), setting, _TLS_KEYS).removeprefix(f"{setting}: ")
            context.find(findings.CONF_UNKNOWN, setting, message)
    bad = [name for name in _TLS_NEEDED if name not in raw]
    bad += [name for name in _TLS_KEYS if name in raw and not _is_absolute(raw[name])]
    if bad:
        message = f"{', '.join(bad)}: missing, or not an absolute path."
        context.find(findings.BAD_TLS, setting, message)
        return None
    return Tls(
        certificate=Path(raw["CERTIFICATE"]),
        key=Path(raw["KEY"]),
        acme_webroot=Path(raw.get("ACME_WEBROOT", DEFAULT_ACME_WEBROOT)),
    )


def _is_absolute(value: object) -> bool:
    return isinstance(value, (str, Path)) and Path(value).is_absolute()


def headers(context: Context, tls: Tls | None) -> SecurityHeaders:
    """What SecurityMiddleware is set to send; nothing if it is not in MIDDLEWARE."""
    settings = context.settings
    if not any(is_middleware(path, SecurityMiddleware) for path in settings.MIDDLEWARE):
        return SecurityHeaders()
    policy = settings.SECURE_REFERRER_POLICY
    return SecurityHeaders(
        hsts=_hsts(settings) if tls else None,
        nosniff=settings.SECURE_CONTENT_TYPE_NOSNIFF,
        referrer_policy=_joined(policy) if policy else None,
        opener_policy=settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
    )


def _hsts(settings: Any) -> str | None:
    """The value SecurityMiddleware would send (django/middleware/security.py)."""
    if not settings.SECURE_HSTS_SECONDS:
        return None
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        value += "; includeSubDomains"
    return value + "; preload" if settings.SECURE_HSTS_PRELOAD else value


def _joined(policy: str | Iterable[str]) -> str:
    names = policy.split(",") if isinstance(policy, str) else policy
    return ",".join(name.strip() for name in names)


def limits(context: Context) -> Limits:
    """The sizes above which Django itself refuses a request."""
    expected = "a number of bytes, or None"
    size = context.typed("DATA_UPLOAD_MAX_MEMORY_SIZE", int | None, expected, None)
    return Limits(upload_memory=size)


def redirect_exempt(context: Context) -> tuple[str, ...]:
    """The patterns of SECURE_REDIRECT_EXEMPT, which may also be compiled ones."""
    # Of a text, each letter would be a pattern: '^' or 'a' alone leaves nearly all on plain HTTP.
    expected = "a list of regular expressions"
    found = context.typed("SECURE_REDIRECT_EXEMPT", (list, tuple), expected, ())
    for pattern in found:
        _check_pattern(context, pattern)
    return tuple(str(getattr(one, "pattern", one)) for one in found)


def _check_pattern(context: Context, pattern: Any) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        message = f"{pattern!r} is no regular expression: {error}."
        context.find(findings.CONF_TYPE, "SECURE_REDIRECT_EXEMPT", message)


def check(context: Context, facts: SiteFacts) -> None:
    """Report settings that contradict how this server serves the site."""
    settings = context.settings
    if settings.DEBUG:
        context.find(findings.DEBUG_ON, "DEBUG", "it is on: errors show code and settings.")
    if facts.hosts.anything:
        context.find(findings.ANY_HOST, facts.hosts.setting, "'*' lets every Host header in.")
    policy, _ = trust.configured()
    if is_plain := not facts.tls and not policy.is_told(contract.SCHEME_HEADER):
        _check_without_tls(context)
    for name in () if proxy.is_used(context) else proxy.SWITCHES:
        if value := getattr(settings, name):
            message = f"{value!r} makes Django read what a proxy says."
            context.find(findings.FORWARDED_UNUSED, name, message)
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        _check_origin(context, str(origin), facts, is_plain=is_plain)


_WITHOUT_TLS = {
    "SECURE_SSL_REDIRECT": "every page would redirect",
    "SESSION_COOKIE_SECURE": "browsers would never send the session back",
    "CSRF_COOKIE_SECURE": "browsers would never send the CSRF cookie back",
}


def _check_without_tls(context: Context) -> None:
    for name, consequence in _WITHOUT_TLS.items():
        if getattr(context.settings, name):
            message = f"it is on, but no certificate is known, so that {consequence}."
            context.find(findings.NEEDS_TLS, name, message)
    if seconds := context.settings.SECURE_HSTS_SECONDS:
        message = f"{seconds!r} has no effect without a certificate."
        context.find(findings.HSTS_WITHOUT_TLS, "SECURE_HSTS_SECONDS", message)


def _check_origin(context: Context, origin: str, facts: SiteFacts, *, is_plain: bool) -> None:
    """Report an origin of this very site with the scheme that it does not have.

    Other sites are trusted on purpose: that is what the setting is for.
    """
    scheme, host = _scheme_and_host(origin)
    if host is None or not _answers(facts.hosts, host):
        return
    if scheme == "http" and facts.tls:
        message = f"{origin!r} trusts plain HTTP, but the site is HTTPS."
        context.find(findings.CSRF_ORIGIN, "CSRF_TRUSTED_ORIGINS", message)
    elif scheme == "https" and is_plain:
        message = f"{origin!r} is HTTPS, but no certificate is known."
        context.find(findings.CSRF_ORIGIN, "CSRF_TRUSTED_ORIGINS", message)


def _scheme_and_host(origin: str) -> tuple[str, str | None]:
    """The two parts as ALLOWED_HOSTS writes them: no port, '.example.com' for a wildcard."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname
    except ValueError:  # Django's own checks report it.
        return "", None
    if host and ":" in host:
        host = f"[{host}]"
    return parts.scheme, host.removeprefix("*") if host else None


def _answers(hosts: Hosts, host: str) -> bool:
    return (
        hosts.anything
        or host in hosts.exact
        or any(host == suffix[1:] or host.endswith(suffix) for suffix in hosts.suffixes)
    )
