"""Whether the project reads the Authorization header."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.apps import apps
from django.utils.module_loading import import_string

from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.urls import views

# Authentication classes of Django REST framework that never look at the Authorization header.
_WITHOUT = ("SessionAuthentication", "RemoteUserAuthentication")

# REST framework's own default includes BasicAuthentication.
_DEFAULT = ("rest_framework.authentication.BasicAuthentication",)


def needs_authorization(context: Context) -> bool:
    """Tell what SITE says; else whether REST framework, if there, authenticates with it."""
    if "AUTHORIZATION" in context.site:
        value = context.site["AUTHORIZATION"]
        if not isinstance(value, bool):
            context.find_type(context.key("AUTHORIZATION"), value, "True or False")
        return bool(value)
    if not apps.is_installed("rest_framework"):
        return False
    return any(_reads_it(one) for one in [*_default_classes(context), *_classes_of_views()])


def _default_classes(context: Context) -> Iterable[object]:
    configured = getattr(context.settings, "REST_FRAMEWORK", None)
    if not isinstance(configured, Mapping):
        return _DEFAULT
    classes: Iterable[object] = configured.get("DEFAULT_AUTHENTICATION_CLASSES", _DEFAULT)
    return classes


def _classes_of_views() -> Iterable[object]:
    """What single views authenticate with, instead of the default."""
    for view in views():
        yield from getattr(getattr(view, "cls", None), "authentication_classes", ())


def _reads_it(authentication: object) -> bool:
    if isinstance(authentication, str):
        try:
            authentication = import_string(authentication)
        except Exception:  # An import may raise anything.
            return True
    bases = getattr(authentication, "__mro__", ())
    return not any(
        base.__module__ == "rest_framework.authentication" and base.__name__ in _WITHOUT
        for base in bases
    )
