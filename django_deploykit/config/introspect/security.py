"""TLS, security headers, credentials and limits: who says what to whom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.middleware.security import SecurityMiddleware

from django_deploykit import contract
from django_deploykit.config import findings
from django_deploykit.config.facts import Hosts, Limits, SecurityHeaders, SiteFacts, Tls
from django_deploykit.config.introspect.application import is_middleware
from django_deploykit.config.introspect.context import Context, key

# Debian's document root, which certbot's --webroot is commonly given; nothing else is served.
DEFAULT_ACME_WEBROOT = "/var/www/html"
_TLS_KEYS = {"CERTIFICATE", "KEY", "ACME_WEBROOT"}

# Authentication classes of Django REST framework that never look at the Authorization header.
_WITHOUT_AUTHORIZATION = ("SessionAuthentication", "RemoteUserAuthentication")


def tls(context: Context) -> Tls | None:
    """The certificate and key of SITE, if this server is to end TLS."""
    raw = context.site.get("TLS")
    if raw is None:
        return None
    if not isinstance(raw, Mapping) or not {"CERTIFICATE", "KEY"} <= set(raw) <= _TLS_KEYS:
        context.find(findings.BAD_TLS, key("TLS"), f"{raw!r} is not such a dict.")
        return None
    paths = {name: Path(str(value)) for name, value in raw.items()}
    if not all(path.is_absolute() for path in paths.values()):
        context.find(findings.BAD_TLS, key("TLS"), f"{raw!r} has a relative path.")
    return Tls(
        certificate=paths["CERTIFICATE"],
        key=paths["KEY"],
        acme_webroot=paths.get("ACME_WEBROOT", Path(DEFAULT_ACME_WEBROOT)),
    )


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
    value = f"max-age={int(settings.SECURE_HSTS_SECONDS)}"
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        value += "; includeSubDomains"
    return value + "; preload" if settings.SECURE_HSTS_PRELOAD else value


def _joined(policy: str | list[str] | tuple[str, ...]) -> str:
    names = policy.split(",") if isinstance(policy, str) else policy
    return ",".join(name.strip() for name in names)


def limits(context: Context) -> Limits:
    """The sizes above which Django itself refuses a request."""
    return Limits(upload_memory=context.settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def needs_authorization(context: Context) -> bool:
    """Tell whether the project reads the Authorization header."""
    if "AUTHORIZATION" in context.site:
        return bool(context.site["AUTHORIZATION"])
    if not apps.is_installed("rest_framework"):
        return False
    configured = getattr(context.settings, "REST_FRAMEWORK", {})
    # REST framework's own default includes BasicAuthentication.
    classes = configured.get("DEFAULT_AUTHENTICATION_CLASSES", ["BasicAuthentication"])
    return not all(str(name).endswith(_WITHOUT_AUTHORIZATION) for name in classes)


def environ(context: Context) -> tuple[tuple[str, str], ...]:
    """Extra data for the application, under names that no client can write."""
    raw = context.site.get("ENVIRON", {})
    if not isinstance(raw, Mapping):
        context.find(findings.CONF_TYPE, key("ENVIRON"), f"{raw!r} is not a dict.")
        return ()
    for name, value in raw.items():
        if not contract.environ_name_is_free(str(name)) or not isinstance(value, str):
            context.find(findings.BAD_ENVIRON, key("ENVIRON"), f"{name!r} cannot be used.")
    return tuple(sorted((str(name), str(value)) for name, value in raw.items()))


def check(context: Context, facts: SiteFacts) -> None:
    """Report settings that contradict how this server serves the site."""
    settings = context.settings
    if settings.DEBUG:
        context.find(findings.DEBUG_ON, "DEBUG", "it is on: errors show code and settings.")
    if facts.hosts.anything:
        context.find(findings.ANY_HOST, facts.hosts.setting, "'*' lets every Host header in.")
    if settings.SECURE_SSL_REDIRECT and not facts.tls:
        message = "it is on, but no certificate is known, so that every page would redirect."
        context.find(findings.SSL_WITHOUT_TLS, "SECURE_SSL_REDIRECT", message)
    if settings.SECURE_HSTS_SECONDS and not facts.tls:
        message = f"{settings.SECURE_HSTS_SECONDS!r} has no effect without a certificate."
        context.find(findings.HSTS_WITHOUT_TLS, "SECURE_HSTS_SECONDS", message)
    for name in ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT"):
        if value := getattr(settings, name):
            message = f"{value!r} makes Django read what a proxy says."
            context.find(findings.FORWARDED_UNUSED, name, message)
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        _check_origin(context, str(origin), facts)


def _check_origin(context: Context, origin: str, facts: SiteFacts) -> None:
    parts = urlsplit(origin)
    host = (parts.netloc.rpartition("@")[2]).partition(":")[0].replace("*", "", 1)
    if not _answers(facts.hosts, host):
        message = f"{origin!r} names a host that the site does not answer to."
        context.find(findings.CSRF_ORIGIN, "CSRF_TRUSTED_ORIGINS", message)
    elif parts.scheme == "http" and facts.tls:
        message = f"{origin!r} trusts plain HTTP, but the site is HTTPS."
        context.find(findings.CSRF_ORIGIN, "CSRF_TRUSTED_ORIGINS", message)


def _answers(hosts: Hosts, host: str) -> bool:
    return (
        hosts.anything
        or host in hosts.exact
        or any(host == suffix[1:] or host.endswith(suffix) for suffix in hosts.suffixes)
    )
