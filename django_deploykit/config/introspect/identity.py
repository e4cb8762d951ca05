"""What IDENTITY says, and what it needs around it: middleware in order, and a backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.utils.module_loading import import_string

from django_deploykit import sso
from django_deploykit.config import findings
from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.proxy import MIDDLEWARE as TRUSTED_PROXY

MIDDLEWARE = "django_deploykit.middleware.ProxyIdentityMiddleware"
BACKEND = "django_deploykit.backends.ProxyIdentityBackend"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
# Where the class really is. It is not imported: this floor knows no runtime.
_HOME = "django_deploykit.identity.backend.ProxyIdentityBackend"
# Django's own. Where there is no environ, they take a header for the server's word.
STOCK = (
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    "django.contrib.auth.middleware.PersistentRemoteUserMiddleware",
)


def check(context: Context) -> None:
    """Report what is wrong with IDENTITY, or missing around it."""
    policy, problems = sso.configured()
    for place, message in problems:
        context.find(findings.BAD_IDENTITY, place, message)
    _check_stock(context)
    if policy is not None:
        _check_order(context, policy)
        _check_backend(context)
        _check_interface(context, policy)
    elif not problems and MIDDLEWARE in context.settings.MIDDLEWARE:
        message = f"it names no source, so that {MIDDLEWARE!r} cannot start."
        context.find(findings.BAD_IDENTITY, sso.IDENTITY, message)


def _check_order(context: Context, policy: sso.Policy) -> None:
    order = list(context.settings.MIDDLEWARE)
    if MIDDLEWARE not in order:
        context.find(findings.IDENTITY_INCOMPLETE, "MIDDLEWARE", f"{MIDDLEWARE!r} is missing.")
        return
    needed = [AUTHENTICATION, *([TRUSTED_PROXY] if policy.user.is_header else [])]
    for name in needed:
        if name not in order[: order.index(MIDDLEWARE)]:
            message = f"{name!r} does not come before {MIDDLEWARE!r}."
            context.find(findings.IDENTITY_INCOMPLETE, "MIDDLEWARE", message)


def _check_backend(context: Context) -> None:
    names = context.settings.AUTHENTICATION_BACKENDS
    if not any(f"{one.__module__}.{one.__qualname__}" == _HOME for one in _bases(names)):
        message = f"neither {BACKEND!r} is there, nor a subclass of it."
        context.find(findings.IDENTITY_INCOMPLETE, "AUTHENTICATION_BACKENDS", message)


def _bases(names: list[str]) -> Iterator[type]:
    for name in names:
        with contextlib.suppress(Exception):  # An import may raise anything; Django says so itself.
            yield from import_string(name).__mro__


def _check_stock(context: Context) -> None:
    installed = context.settings.MIDDLEWARE
    for name in (name for name in STOCK if name in installed):
        if MIDDLEWARE in installed:
            message = f"{name!r} signs users in beside {MIDDLEWARE!r}, by rules of its own."
            context.find(findings.TWO_REMOTE_USERS, "MIDDLEWARE", message)
        elif _asgi(context):
            message = f"under ASGI {name!r} believes a header, whoever sent it."
            context.find(findings.REMOTE_USER_UNDER_ASGI, "MIDDLEWARE", message)


def _check_interface(context: Context, policy: sso.Policy) -> None:
    is_key = policy.user.kind == "env"
    if _asgi(context) and not context.settings.WSGI_APPLICATION and is_key:
        message = f"'{policy.user}' names nobody under ASGI, which has no environ."
        context.find(findings.KEY_UNDER_ASGI, f"{sso.IDENTITY}['USER']", message)


def _asgi(context: Context) -> object:
    return getattr(context.settings, "ASGI_APPLICATION", None)
