"""What PROXY contradicts: Django's own switches, the order of middleware, the server's ideas."""

from __future__ import annotations

import os

from django_deploykit import conf, trust
from django_deploykit.config import findings
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.urls import pages_outside

MIDDLEWARE = "django_deploykit.middleware.TrustedProxyMiddleware"
# By which Django believes headers itself.
SWITCHES = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
# By which gunicorn and uvicorn believe headers before Django is asked. (mod_wsgi's are in Apache's
# configuration, which cannot be seen from here.)
_SERVER_SWITCHES = ("FORWARDED_ALLOW_IPS", "GUNICORN_CMD_ARGS")


def check(context: Context, facts: SiteFacts) -> None:
    """Report what PROXY, or the middleware that obeys it, contradicts."""
    policy, problems = trust.configured()
    for place, message in problems:
        context.find(findings.BAD_PROXY, place, message)
    _check_middleware(context)
    if is_used(context):
        _check_switches(context, policy)
        _check_server(context)
    if policy.prefix_header and not policy.prefixes:
        message = "any prefix that a trusted proxy names is taken."
        context.find(findings.ANY_PREFIX, f"{trust.PROXY}['PREFIX']", message)
    if policy.moves_urls:
        _check_urls(context)
        if not facts.prefix:  # Else its own check has looked already.
            _check_pages(context, policy)


def is_used(context: Context) -> bool:
    """Tell whether the project lets django-deploykit decide whom to believe."""
    return bool(conf.read().proxy) or MIDDLEWARE in context.settings.MIDDLEWARE


def _check_middleware(context: Context) -> None:
    order = list(context.settings.MIDDLEWARE)
    if MIDDLEWARE not in order:
        if conf.read().proxy:
            message = f"{MIDDLEWARE!r} is missing."
            context.find(findings.NO_PROXY_MIDDLEWARE, "MIDDLEWARE", message)
    elif order[0] != MIDDLEWARE:
        message = f"{order[0]!r} comes before {MIDDLEWARE!r}."
        context.find(findings.PROXY_MIDDLEWARE_LATE, "MIDDLEWARE", message)


def _check_switches(context: Context, policy: trust.Policy) -> None:
    settings = context.settings
    for name in SWITCHES:
        if value := getattr(settings, name):
            message = f"{value!r} makes Django believe a header, whoever sent it."
            context.find(findings.BELIEVED_TWICE, name, message)
    if settings.FORCE_SCRIPT_NAME is not None and policy.moves_urls:
        message = f"{settings.FORCE_SCRIPT_NAME!r} wins over the prefix of every request."
        context.find(findings.BELIEVED_TWICE, "FORCE_SCRIPT_NAME", message)


def _check_server(context: Context) -> None:
    for name in _SERVER_SWITCHES:
        value = os.environ.get(name, "")
        if value and (name != "GUNICORN_CMD_ARGS" or "forwarded-allow-ips" in value):
            message = "the application server believes headers before Django is asked."
            context.find(findings.SERVER_BELIEVES, f"the environment variable {name}", message)


def _check_urls(context: Context) -> None:
    """A path, unlike a relative URL, is the same below every prefix."""
    for name in ("STATIC_URL", "MEDIA_URL"):
        value = context.as_written(name) or ""
        if value.startswith("/") and not value.startswith("//"):
            message = f"{value!r} lies outside of the prefix that a request brings."
            context.find(findings.OUTSIDE_PREFIX, name, message)


def _check_pages(context: Context, policy: trust.Policy) -> None:
    """Nor does a path lead to a page below each of several prefixes, or below any."""
    only = policy.prefixes[0] if len(policy.prefixes) == 1 else "//"  # Nothing lies below that.
    for name, value in pages_outside(context, only):
        message = f"{value!r} leads outside of the prefix that a request brings."
        context.find(findings.OUTSIDE_PREFIX, name, message)
