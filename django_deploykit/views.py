"""The views that a project writes in its URLconf."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from django_deploykit.health import HealthView
from django_deploykit.sendfile.views import (
    ProtectedFileView,
    ProtectedObjectFileView,
    ProtectedStorageFileView,
)

if TYPE_CHECKING:
    from django_deploykit.auth.views import AsyncAuthRequestView, AuthRequestView
    from django_deploykit.identity.views import ProxyLogoutView

__all__ = [
    "AsyncAuthRequestView",
    "AuthRequestView",
    "HealthView",
    "ProtectedFileView",
    "ProtectedObjectFileView",
    "ProtectedStorageFileView",
    "ProxyLogoutView",
]

# What needs django.contrib.auth, which not every project has.
_LATE = {
    "AsyncAuthRequestView": "django_deploykit.auth.views",
    "AuthRequestView": "django_deploykit.auth.views",
    "ProxyLogoutView": "django_deploykit.identity.views",
}


if not TYPE_CHECKING:  # A type checker would take any name for one that is here.

    def __getattr__(name: str) -> Any:
        """Import a view of accounts when it is asked for."""
        if name not in _LATE:
            raise AttributeError(name)
        return getattr(import_module(_LATE[name]), name)
