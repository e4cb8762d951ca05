"""The views that a project writes in its URLconf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django_deploykit.sendfile.views import (
    ProtectedFileView,
    ProtectedObjectFileView,
    ProtectedStorageFileView,
)

if TYPE_CHECKING:
    from django_deploykit.identity.views import ProxyLogoutView

__all__ = [
    "ProtectedFileView",
    "ProtectedObjectFileView",
    "ProtectedStorageFileView",
    "ProxyLogoutView",
]


def __getattr__(name: str) -> Any:
    """Import late what needs django.contrib.auth, which not every project has."""
    if name != "ProxyLogoutView":
        raise AttributeError(name)
    from django_deploykit.identity.views import ProxyLogoutView

    return ProxyLogoutView
